"""Settings: everything that differs between a demo, a test and a city comes from the environment.

======================== ===================================================================
variable                 meaning
======================== ===================================================================
DATABASE_URL             PostgreSQL as the application's role (no ownership, no history edits)
DATABASE_OWNER_URL       PostgreSQL as the owner, used by migrations only
REDIS_URL                Redis or Valkey: broker and cache
HELIOPOLIS_SECRET_KEY    signs sessions and password-reset links
HELIOPOLIS_HOSTS         comma-separated host names the web server answers to
HELIOPOLIS_HTTPS         "1" behind a TLS proxy: secure cookies, HSTS, redirect
HELIOPOLIS_STATE         folder of a checkout's own state (default: .local)
HELIOPOLIS_IDENTITY_KEYS folder of the keys that join people to accounts (default: in the state)
HELIOPOLIS_LOG_FOLDER    folder of the published log's files (default: in the state)
HELIOPOLIS_LOG_KEY       file of the log's private key (default: in the state)
HELIOPOLIS_LOG_POLICY    file of witnesses, validators and quorum (default: in the state)
HELIOPOLIS_LOG_ORIGIN    the log's name; read once, when its key is made
HELIOPOLIS_DATA_FOLDER   folder of packages, quarantine and feeds (default: in the state)
HELIOPOLIS_DATA_KEY      file of the hall's deposit key (default: in the state)
HELIOPOLIS_DATA_UPLOAD   most bytes of one upload (default: 2 GiB)
HELIOPOLIS_DATA_QUOTA    most bytes of all that one provider has in the hall (default: 100 GiB)
HELIOPOLIS_DATA_RESERVE  bytes of its disk that uploads leave free (default: 1 GiB)
HELIOPOLIS_FEED_RATE     requests a second that one credential of a feed may keep up (default: 10)
HELIOPOLIS_FETCH_SCHEMES how providers' addresses are fetched (default: https,http)
HELIOPOLIS_FETCH_LOOPBACK "1" lets them be of this machine: for tests and demos alone
HELIOPOLIS_APP_ROLE      role that migrations grant the application's privileges to
HELIOPOLIS_MAIL_URL      smtp://user:password@host:port; without it mail is printed
HELIOPOLIS_MAIL_FROM     sender of that mail
HELIOPOLIS_OPEN_DATA_LICENCE, HELIOPOLIS_OPEN_DATA_ATTRIBUTION
                         licence of published figures (default: CC BY 4.0), whom to name
HELIOPOLIS_KEEP_NOTICES  days that notices are kept (default: 365, at least 90)
HELIOPOLIS_KEEP_ACCESSES days that members see who looked (default: 1096, at least 1096)
HELIOPOLIS_URL           the hall's own address, for links in mail (default: loopback)
======================== ===================================================================
"""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(os.environ.get("HELIOPOLIS_STATE", BASE_DIR / ".local"))
# Not in the database and not in its backups: whoever is erased is erased from those too.
IDENTITY_KEYS_DIR = Path(os.environ.get("HELIOPOLIS_IDENTITY_KEYS", STATE_DIR / "identity"))

LOG_FOLDER = Path(os.environ.get("HELIOPOLIS_LOG_FOLDER", STATE_DIR / "publication"))
LOG_KEY_FILE = Path(os.environ.get("HELIOPOLIS_LOG_KEY", STATE_DIR / "keys" / "log.key"))
LOG_POLICY_FILE = Path(os.environ.get("HELIOPOLIS_LOG_POLICY", STATE_DIR / "policy"))
LOG_ORIGIN = os.environ.get("HELIOPOLIS_LOG_ORIGIN", "heliopolis.example/log")

# Ciphertext alone: packages, what is in quarantine. Its keys stand sealed in the database, and the
# one that opens those in a file of its own, so that neither of the three tells anything alone.
DATA_FOLDER = Path(os.environ.get("HELIOPOLIS_DATA_FOLDER", STATE_DIR / "data"))
DATA_KEY_FILE = Path(os.environ.get("HELIOPOLIS_DATA_KEY", STATE_DIR / "keys" / "data.key"))
DATA_UPLOAD_MAX_BYTES = int(os.environ.get("HELIOPOLIS_DATA_UPLOAD", str(2 * 2**30)))
DATA_QUOTA_BYTES = int(os.environ.get("HELIOPOLIS_DATA_QUOTA", str(100 * 2**30)))
DATA_RESERVE_BYTES = int(os.environ.get("HELIOPOLIS_DATA_RESERVE", str(2**30)))
FEED_REQUESTS_PER_S = int(os.environ.get("HELIOPOLIS_FEED_RATE", "10"))
FETCH_SCHEMES = os.environ.get("HELIOPOLIS_FETCH_SCHEMES", "https,http").split(",")
FETCH_ALLOWS_LOOPBACK = os.environ.get("HELIOPOLIS_FETCH_LOOPBACK") == "1"


def _days(name: str, usual: int, at_least: int) -> timedelta:
    text = os.environ.get(name) or str(usual)
    if not (text.isascii() and text.isdigit() and at_least <= int(text) <= 36_600):
        raise ImproperlyConfigured(
            f"{name} is {text!r}: write a number of days from {at_least} to 36600, or leave it out"
        )
    return timedelta(days=int(text))


KEEP_NOTICES = _days("HELIOPOLIS_KEEP_NOTICES", 365, 90)
# Three years: as long as records of processing are kept by law, and claims can be made.
KEEP_ACCESSES = _days("HELIOPOLIS_KEEP_ACCESSES", 1096, 1096)


def _database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


# Commands that open no connection (makemigrations --check, messages, lint) need no server.
_DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
DATABASES = {"default": _database(_DATABASE_URL)}
# The role that migrations grant the application's privileges to.
APP_ROLE = os.environ.get("HELIOPOLIS_APP_ROLE", "heliopolis_app")
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:1/0")

SECRET_KEY = os.environ.get("HELIOPOLIS_SECRET_KEY", "")
DEBUG = False
HTTPS = os.environ.get("HELIOPOLIS_HTTPS") == "1"
ALLOWED_HOSTS = os.environ.get("HELIOPOLIS_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if HTTPS else []

INSTALLED_APPS = [
    "config",
    "analytics",
    "marketplace",
    "ledger",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_htmx",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.web.compression.pack_pages",
    "config.web.security.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Closed by default: a view is public only by the decorator, and the public list is committed.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.web.shell.page_shell",
            ],
        },
    },
]

AUTH_USER_MODEL = "marketplace.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": name}
    for name in (
        "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "config.web.passwords.LongEnough",
        "django.contrib.auth.password_validation.CommonPasswordValidator",
        "django.contrib.auth.password_validation.NumericPasswordValidator",
    )
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"

# Sign-in rate limit: ten wrong passwords for one address and account, then a quarter of an hour.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked_out.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", _("简体中文"))]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
# Files are found where they live, at start: nothing has to be collected first.
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
    }
}

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"

_mail = urlsplit(os.environ.get("HELIOPOLIS_MAIL_URL", ""))
DEFAULT_FROM_EMAIL = os.environ.get("HELIOPOLIS_MAIL_FROM", "hall@heliopolis.example")
if _mail.hostname:
    EMAIL_HOST = _mail.hostname
    EMAIL_PORT = _mail.port or 587
    EMAIL_HOST_USER = unquote(_mail.username or "")
    EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
    EMAIL_USE_TLS = True
else:
    # Whoever tries the hall reads its mails where it runs.
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
# Links in mails: a worker has no request to ask for the hall's own address.
# Of what the hall publishes; a city may choose another open licence and another name.
OPEN_DATA_LICENCE = os.environ.get(
    "HELIOPOLIS_OPEN_DATA_LICENCE", "https://creativecommons.org/licenses/by/4.0/"
)
OPEN_DATA_ATTRIBUTION = os.environ.get("HELIOPOLIS_OPEN_DATA_ATTRIBUTION", "Heliopolis")
SITE_URL = os.environ.get("HELIOPOLIS_URL", "http://127.0.0.1:8000").rstrip("/")

# A data file of 5 MB travels as text in JSON; what is larger is refused before it is read.
DATA_UPLOAD_MAX_MEMORY_SIZE = 12_000_000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api.body.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.errors.error_response",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Heliopolis",
    "DESCRIPTION": "The open market hall of a city. Energy in Wh, money in micro-units.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "AgreementKind": ["contract", "gift", "partner"],
        "AgreementSide": ["seller", "buyer"],
        "DataChargeState": "marketplace.api.data_money.CHARGE_STATES",
        "DataContractState": ["proposed", "agreed", "declined", "revoked", "ended"],
        "DataDeliveryState": "marketplace.api.data_deliveries.STATES",
        "DataQueryState": ["submitted", "answered", "refused"],
        "DataWishState": ["open", "fulfilled", "ended"],
        "DataInvoiceKind": ["invoice", "credit_note"],
        "DataProductKind": ["file", "feed"],
        "DataProductState": ["draft", "listed", "withdrawn"],
        "DataVersionState": ["working", "ready", "refused"],
        "IntervalState": ["open", "metered", "cleared", "settled", "sealed"],
        "OrderSide": ["buy", "sell"],
        "TransferKind": ["posted", "hold", "post", "release"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.schema.add_shared_parts",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
