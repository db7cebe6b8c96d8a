from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.accounts import selectors
        from apps.core import access

        access.register_directory(actor_of=selectors.actor_of, team_exists=selectors.team_exists)
