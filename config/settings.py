"""All settings, and the only reader of the environment.

`DATABASE_URL` and `REDIS_URL` name the servers; without them the embedded ones are used (config.services).
"""

import logging
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ

from . import services
from .data_folder import secret
from .logging import configure_structlog, logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# The servers. With neither a variable nor an embedded server, commands that need no server still work.
EMBEDDED = services.urls()
DATABASE_IS_KNOWN = "DATABASE_URL" in env.ENVIRON or EMBEDDED is not None
SERVERS_ARE_NAMED = {"DATABASE_URL", "REDIS_URL"} <= env.ENVIRON.keys()
DATABASE_URL = env.str(
    "DATABASE_URL", default=EMBEDDED.database if EMBEDDED else "postgresql://orders@127.0.0.1/orders"
)
REDIS_URL = env.str("REDIS_URL", default=EMBEDDED.redis if EMBEDDED else "redis://127.0.0.1:6379/0")

# Safety. HTTPS=0 is for a shop on one's own machine, as `make run` starts it.
DEBUG = env.bool("DEBUG", default=False)
HTTPS = env.bool("HTTPS", default=not DEBUG)
SECRET_KEY = env.str("SECRET_KEY", default="") or secret(services.DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]  # a load balancer and Prometheus ask in plain HTTP
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
METRICS_ALLOWED = [  # who may read /metrics, beside the staff
    ip_network(network, strict=False)
    for network in env.list("METRICS_ALLOWED", default=["127.0.0.0/8", "::1"])
]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_rq",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "django_prometheus",  # without its middleware, which takes a twentieth of a request
    "outbox",
    "orders_write",
    "orders_read",
    *(["tests.torture"] if (BASE_DIR / "tests").is_dir() else []),  # `manage.py torture`
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.response_headers.ResponseHeadersMiddleware",
    "orders_read.stores.headers.ReadStoreMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Prepared statements and session options live in a connection: DATABASE_PREPARE=0 drops both, for a
# transaction pooler in front of web processes. Workers need a direct connection.
DATABASE_PREPARE = env.bool("DATABASE_PREPARE", default=True)
DATABASE_OPTIONS: dict[str, Any] = {
    "server_side_binding": True,
    "connect_timeout": env.int("DATABASE_CONNECT_TIMEOUT_SECONDS", default=5),
    **(
        {"prepare_threshold": 5, "options": "-c jit=off"} if DATABASE_PREPARE else {"prepare_threshold": None}
    ),
}
DATABASES = {
    "default": env.db_url_config(DATABASE_URL)
    | {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE_SECONDS", default=60),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": not DATABASE_PREPARE,
        "OPTIONS": DATABASE_OPTIONS,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Work that a bell wakes. Workers block on their queue, so only connecting has a short time-out.
RQ_CONNECTION = {
    "URL": f"{REDIS_URL}{'&' if '?' in REDIS_URL else '?'}socket_connect_timeout=1&health_check_interval=30"
}
RQ_QUEUES = {
    name: RQ_CONNECTION | {"DEFAULT_TIMEOUT": timeout_seconds, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name, timeout_seconds in (("delivery", 600), ("work", 86_400))
}
RQ = {"WORKER_CLASS": "outbox.worker.WorkWorker"}  # RQ's own would unpickle what it finds, and fork
RQ_SHOW_ADMIN_LINK = False

# Where read models are read, if not in PostgreSQL; see docs/how-to/add-a-store.md.
READ_STORES: dict[str, dict[str, Any]] = {
    read_model: {
        "BACKEND": "orders_read.stores.redis",
        "LOCATION": env.str("READ_STORE_URL", default=REDIS_URL),
    }
    for read_model in env.list("READ_STORES_IN_REDIS", default=[])
}

# The materialized views, and how many seconds old each may become before it is refreshed.
READ_VIEWS = {"shop_overview": 60}

OUTBOX = {
    "SUBSCRIBERS": [
        "orders_read.projections.order_details.projection",
        "orders_read.projections.order_search.projection",
        "orders_read.projections.user_dashboard.projection",
        "orders_read.projections.daily_revenue.projection",
        "orders_read.projections.product_sales.projection",
        "orders_read.projections.product_catalogue.projection",
    ],
    "EVENTS": "orders_write.events.SCHEMA_VERSIONS",
    "PUBLISHERS": {
        "webhook": "outbox.publishers.webhooks.publisher",
        "mirror": "orders_read.mirrors.publisher.publisher",
    },
    "WEBHOOK_ALLOWED_NETWORKS": env.list("WEBHOOK_ALLOWED_NETWORKS", default=[]),
    "BATCH_SIZE": 2_000,
    "RELAY_BATCH_SIZE": 5_000,
    "PARTITION_SIZE": 1_000_000,
    "LINGER_SECONDS": 5,
    "SWEEP_SECONDS": 1,
    "STALL_SECONDS": 60,
    "SLA_SECONDS": {"default": 10, "order_details": 2, "product_catalogue": 2},
    "BELL_TIMEOUT_SECONDS": 0.05,
    "REDIS_URL": REDIS_URL,
    "CHORES": {
        "orders_write.sweeping.sweep_idempotency_keys": 600,
        "outbox.publishers.sweeping.sweep_deliveries": 600,
        **({"orders_read.mirrors.keeping.keep_mirrors": 1} if READ_STORES else {}),
        "orders_read.jobs.ask_for_refresh": 15,
        "orders_read.keeping.verify_slowly": 20,
        "orders_read.keeping.drop_expired": 300,
    },
}

# A command's answer is kept so long under its key; a repetition after that is a new request.
IDEMPOTENCY_KEEP_DAYS = env.int("IDEMPOTENCY_KEEP_DAYS", default=30)

# Counters of attempts to log in, in each process's own memory: they must not need a server that may be down.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

# Threads of a web process. A quarter of them may wait for read models on behalf of consistency tokens.
WEB_THREADS = env.int("WEB_THREADS", default=8)

AUTH_USER_MODEL = "orders_write.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "orders_write.authentication.PlainTokenAuthentication",  # first, so that 401 names how to log in
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.strict_json.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,  # `format` is a parameter like any other: nobody knows it
    "NUM_PROXIES": int(BEHIND_PROXY),  # whose word on the client's address is believed
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Orders",
    "DESCRIPTION": "Commands change the write model; queries read models that are kept equal to its events.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": True, "validatorUrl": None},
    "REDOC_DIST": "SIDECAR",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v[0-9]+",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.openapi.complete",
    ],
    "ENUM_NAME_OVERRIDES": {"Status": "config.openapi.STATUSES"},
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / ".static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_ARE_COLLECTED = (STATIC_ROOT / "staticfiles.json").exists()
WHITENOISE_USE_FINDERS = (
    not STATICFILES_ARE_COLLECTED
)  # `collectstatic` turns on hashed names and long caching
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATICFILES_ARE_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # one line a request: its end tells all
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # a proxy knows better, and guessing cost a tenth of a request
configure_structlog()
LOGGING = logging_settings(env.str("LOG_FORMAT", default="console"), env.str("LOG_LEVEL", default="INFO"))
