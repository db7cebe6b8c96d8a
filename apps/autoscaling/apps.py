from django.apps import AppConfig


class AutoscalingConfig(AppConfig):
    name = "apps.autoscaling"
    label = "autoscaling"
    default_auto_field = "django.db.models.BigAutoField"
