from django.apps import AppConfig


class ReconcileConfig(AppConfig):
    name = "apps.reconcile"
    label = "reconcile"
    default_auto_field = "django.db.models.BigAutoField"
