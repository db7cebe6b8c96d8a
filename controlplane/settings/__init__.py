"""Settings of the control plane. Everything that differs between machines comes from the environment.

DATABASE_URL   postgres://… (the only truth); REDIS_URL redis://… or redis+socket:///… (wake-ups only).
LAMPLIGHT_DATA  data directory of a local instance (default `.lamplight` in the project root): without the two above,
                `manage.py` talks to the instance that runs there.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dj_database_url

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(os.environ.get("LAMPLIGHT_DATA", BASE_DIR / ".lamplight"))
DEBUG = os.environ.get("LAMPLIGHT_DEBUG", "") == "1"


def _running_instance() -> dict[str, Any]:
    try:
        state = json.loads((DATA_DIR / "state.json").read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


_instance = _running_instance()

SECRET_KEY = os.environ.get("LAMPLIGHT_SECRET_KEY", "")
if not SECRET_KEY:
    _secret_file = DATA_DIR / "secret-key"
    SECRET_KEY = _secret_file.read_text().strip() if _secret_file.exists() else "insecure-only-for-tools-without-data"
ALLOWED_HOSTS = os.environ.get("LAMPLIGHT_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("LAMPLIGHT_TRUSTED_ORIGINS", "").split(",") if o]

ROOT_URLCONF = "controlplane.urls"
ASGI_APPLICATION = "controlplane.asgi.application"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "drf_spectacular",
    # the rooms, in the order of the import layers (docs/architecture.md)
    "apps.core",
    "apps.audit",
    "apps.accounts",
    "apps.reconcile",
    "apps.clusters",
    "apps.catalog",
    "apps.pools",
    "apps.endpoints",
    "apps.telemetry",
    "apps.slos",
    "apps.autoscaling",
    "apps.offload",
    "apps.benchmarks",
    "apps.whatif",
    "apps.gateways",
    "apps.console",
]

MIDDLEWARE = [
    "apps.core.middleware.RequestIdMiddleware",
    "apps.core.observing.MeasureMiddleware",
    "apps.console.middleware.ConsoleMiddleware",
    "apps.console.compression.CompressionMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

_database: dict[str, Any] = dict(
    dj_database_url.parse(
        os.environ.get("DATABASE_URL") or _instance.get("databaseUrl") or "postgres://postgres@localhost/lamplight"
    )
)
_database["CONN_MAX_AGE"] = 0
WORKER_THREADS = int(os.environ.get("LAMPLIGHT_WORKER_THREADS", "8"))
_database.setdefault("OPTIONS", {})["pool"] = {
    "min_size": 1,
    "max_size": int(os.environ.get("LAMPLIGHT_DB_POOL") or max(8, WORKER_THREADS + 2)),
    "timeout": 10,
}
# a process that stands still in a transaction holds locks that all others wait for: the database ends it
# what is prepared (apps/core/prepared.py) is planned once; anything else is planned each time as before
_database["OPTIONS"].setdefault(
    "options", "-c idle_in_transaction_session_timeout=60000 -c plan_cache_mode=force_generic_plan"
)
_database["OPTIONS"].setdefault("prepare_threshold", 0)
# a database whose machine is gone answers nothing, not even an error: found out in half a minute, not in hours
for _name, _value in {
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}.items():
    _database["OPTIONS"].setdefault(_name, _value)
DATABASES = {"default": _database}

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
if os.environ.get("LAMPLIGHT_HTTPS") == "1":
    # people come through a proxy that ends TLS and says so: cookies go over HTTPS only
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
CONSOLE_DIST = Path(os.environ.get("LAMPLIGHT_CONSOLE_DIST", BASE_DIR / "frontend" / "dist"))
WHITENOISE_ROOT = CONSOLE_DIST if CONSOLE_DIST.is_dir() else None
WHITENOISE_INDEX_FILE = False
WHITENOISE_MAX_AGE = 60
# the build puts a hash into the names of its assets: they may be kept for ever
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/assets/.+$"

# rows of the fleet are computed anew after so long even where nothing is known to have moved
FLEET_KEPT_SECONDS = 5.0
# a log-out, a revoked token or a lost membership takes effect on an open event stream within this time
STREAM_RECHECK_SECONDS = float(os.environ.get("LAMPLIGHT_STREAM_RECHECK", "30"))
# times as long are KV events watched before tiers are decided on; below 1 for demonstrations
OFFLOAD_PACE = float(os.environ.get("LAMPLIGHT_OFFLOAD_PACE", "1"))

# into how many parts pools are dealt for the autoscaler's ticks: a worker decides for one part at a time
AUTOSCALING_SHARDS = max(1, int(os.environ.get("LAMPLIGHT_AUTOSCALING_SHARDS", "1")))

# what an Endpoint without a Gateway runs: the target endpoint-gateway of deploy/docker, where your cluster finds it
ENDPOINT_GATEWAY_IMAGE = os.environ.get("LAMPLIGHT_ENDPOINT_GATEWAY_IMAGE", "lamplight/endpoint-gateway:1")

# networks beside the public internet that URLs of documents (webhooks) may lead to: 10.0.0.0/8,192.168.1.5
OUTBOUND_NETWORKS = os.environ.get("LAMPLIGHT_OUTBOUND_NETWORKS", "")

DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.api.parsers.DocumentParser"],
    "EXCEPTION_HANDLER": "apps.core.api.problems.problem_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Lamplight",
    "DESCRIPTION": "Declarative control plane for serving LLMs with vLLM on Kubernetes.",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": ["apps.core.api.schema.add_components"],
}

# threads of a worker process that reconcile (celery's -c): a cluster that hangs may hold half of those that are free
RECONCILE_THREADS = WORKER_THREADS
# of a process to one API server: eight in all are what a server can use, so several workers have a part of them each
KUBE_CONNECTIONS = int(os.environ.get("LAMPLIGHT_KUBE_CONNECTIONS", "8"))
# how often informers list a kind anew although its watch goes on
INFORMERS_RELIST_SECONDS = float(os.environ.get("LAMPLIGHT_INFORMERS_RELIST_SECONDS", "900"))
# how often they compare the versions of all objects of a kind with what the watch has told: one list of metadata
INFORMERS_CHECK_SECONDS = float(os.environ.get("LAMPLIGHT_INFORMERS_CHECK_SECONDS", "60"))

# Redis is for wake-ups only; Postgres is the only truth. A wake-up that cannot be sent is dropped at once.
REDIS_URL = os.environ.get("REDIS_URL") or _instance.get("redisUrl") or "redis://localhost:6379/0"

# who may read /metrics of the control plane: whoever sends this as a bearer token; without one, callers on this machine
METRICS_TOKEN = os.environ.get("LAMPLIGHT_METRICS_TOKEN", "")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "apps.core.logs.JsonFormatter"},
    },
    "filters": {"context": {"()": "apps.core.logs.ContextFilter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": os.environ.get("LAMPLIGHT_LOG_FORMAT", "line"),
            "filters": ["context"],
        }
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("LAMPLIGHT_LOG_LEVEL", "INFO")},
}
