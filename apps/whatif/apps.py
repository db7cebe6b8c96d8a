from django.apps import AppConfig


class WhatIfConfig(AppConfig):
    name = "apps.whatif"
    label = "whatif"
    default_auto_field = "django.db.models.BigAutoField"
