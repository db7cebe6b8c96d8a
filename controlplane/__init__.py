"""The Django project: settings, routes, Celery, the `lamp` command and the local supervisor."""
