"""Django's settings. What operators can change is read from the environment: see docs/settings.md."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from csp.constants import NONCE, NONE, SELF

from chatty.common import redis_clients
from chatty.conf import domains, env, file_storage
from chatty.ops import logs

BASE_DIR = env.BASE_DIR
DATA_DIR = env.get_path("DATA_DIR").absolute()

# --- Addresses and secrets ------------------------------------------------------------------------

DEBUG = env.get_bool("DEBUG")
HOST = env.get_str("HOST")
PORT = env.get_int("PORT")

PUBLIC_ADDRESS = env.get_public_address()
PUBLIC_URL = PUBLIC_ADDRESS.origin if PUBLIC_ADDRESS else ""
HTTPS = bool(PUBLIC_ADDRESS and PUBLIC_ADDRESS.is_secure)

LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = [PUBLIC_ADDRESS.host] if PUBLIC_ADDRESS else LOOPBACK
CSRF_TRUSTED_ORIGINS = env.get_origins("CSRF_TRUSTED_ORIGINS")
API_ORIGINS = env.get_origins("API_ORIGINS")
TRUSTED_PROXIES = env.get_networks("TRUSTED_PROXIES")

SECRET_KEY, SECRET_IS_STORED = env.get_secret_key(DATA_DIR)
SECRET_KEY_FALLBACKS = env.get_list("SECRET_KEY_FALLBACKS")

METRICS_TOKEN = env.get_str("METRICS_TOKEN")

ADMIN_EMAIL = env.get_str("ADMIN_EMAIL")
SIGN_UP = env.get_choice("SIGN_UP")  # "": as chosen in the admin site
CUSTOM_EMOJI = env.get_choice("CUSTOM_EMOJI")  # "": as chosen on the page of the installation
SIGN_UP_DOMAINS = domains.get_domains("SIGN_UP_DOMAINS")

# --- Applications and middleware ------------------------------------------------------------------

INSTALLED_APPS = [
    # Only needed for runserver, which it replaces. Elsewhere it would cost 0.2 s and 20 MB.
    *(["daphne"] if sys.argv[1:2] == ["runserver"] else []),
    "chatty",
    "chatty.idempotency",
    "chatty.jobs",
    "accounts",
    "conversations",
    "conversations.changefeed",
    "conversations.join_requests",  # before invitations: who asks is shown above the offer to invite
    "conversations.invitations",
    "conversations.search",
    "conversations.statistics",
    "conversations.attachments",
    "conversations.custom_emoji",
    "conversations.pins",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "chatty.middleware.RequestIdMiddleware",
    "chatty.middleware.ApiPathMiddleware",
    "chatty.middleware.RedirectMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "chatty.assets.static_files.StaticFilesMiddleware",
    "chatty.middleware.SecurityHeadersMiddleware",
    "chatty.middleware.BuildMiddleware",
    "chatty.api.cors.CorsMiddleware",
    # Adds random padding, so that the length of a response reveals no secret in it (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "chatty.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "chatty.middleware.CharsetMiddleware",  # before anything reads a form or a parameter
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SignInMiddleware",
    "accounts.middleware.PreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "chatty.middleware.ErrorMiddleware",
]

ROOT_URLCONF = "chatty.urls"
ASGI_APPLICATION = "chatty.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "chatty.assets.template_loaders.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]

# --- Data -----------------------------------------------------------------------------------------

DATABASES = {"default": env.get_database(DATA_DIR)}
DATABASE_PREPARE = env.get_bool("DATABASE_PREPARE")
BACKGROUND_WORK = env.get_bool("BACKGROUND_WORK")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.get_str("REDIS_URL")
CACHES: dict[str, dict[str, Any]]
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "chatty.common.redis_clients.Cache",
            "LOCATION": [
                REDIS_URL
            ],  # a list: Django would split the hosts of Sentinels at the comma
            "KEY_PREFIX": "chatty",
        }
    }
    # pub/sub: the core layer loses consumers when Redis restarts and, with redis-py 8, when idle.
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [redis_clients.layer_host(REDIS_URL, **redis_clients.OPTIONS)],
                "prefix": "chatty",
            },
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- People ---------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
PASSWORD_MIN_LENGTH = env.get_int("PASSWORD_MIN_LENGTH")
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation." + name, "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {"user_attributes": ("email", "name")},
        "MinimumLengthValidator": {"min_length": PASSWORD_MIN_LENGTH},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
]
PASSWORD_RESET_TIMEOUT = (
    3600  # seconds for which a link in a mail works; templates/mails say so too
)
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "conversations:home"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
INSTALLATION_URL = "conversations:installation"  # where the first administrator begins

SESSION_ENGINE = "accounts.session_store"
SESSION_COOKIE_AGE = env.get_int("SESSION_DAYS") * 24 * 3600
# Browsers keep messages for reading offline.
OFFLINE_READING = env.get_bool("OFFLINE_READING")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Another subdomain can't set a __Host- cookie. Browsers accept it only over HTTPS.
SESSION_COOKIE_NAME = "__Host-chatty-session" if HTTPS else "chatty-session"
DEVICE_COOKIE_NAME = "__Host-chatty-device" if HTTPS else "chatty-device"
CSRF_COOKIE_NAME = "__Host-chatty-csrf" if HTTPS else "chatty-csrf"
LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "chatty.error_responses.csrf_failure"

SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": env.derive_key(SECRET_KEY, "jwt"),
    "AUDIENCE": "chatty",
    "ISSUER": "chatty",
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=env.get_int("ACCESS_TOKEN_SECONDS")),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.get_int("REFRESH_TOKEN_DAYS")),
    "UPDATE_LAST_LOGIN": False,
}

# --- What browsers may do -------------------------------------------------------------------------

SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = env.get_int("HSTS_SECONDS") if HTTPS else 0
# Chatty covers only its own host. Subdomains are up to the owner of the domain.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.get_bool("HSTS_SUBDOMAINS")
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # subdomains, preload: see above

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "font-src": [SELF],
        "media-src": [SELF, "blob:"],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        # 'self' covers sockets in today's browsers; older Safari wants the origin spelled out.
        "connect-src": [SELF, *([PUBLIC_ADDRESS.socket_origin] if PUBLIC_ADDRESS else [])],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        # The policy is in static/js/lib/trusted_types.js.
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["chatty"],
    }
}

# --- Language and time ----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
# Each in its own language, so that people find theirs without reading another.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "chatty.formats"

# --- Files ----------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.get_path("STATIC_ROOT")
WHITENOISE_ALLOW_ALL_ORIGINS = False
FILE_MAX_MB = env.get_int("FILE_MAX_MB")
FILES_PERSON_MB = env.get_int("FILES_PERSON_MB")
FILES_TOTAL_MB = env.get_int("FILES_TOTAL_MB")
FILES_ACCEL = env.get_str("FILES_ACCEL")
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "chatty.common.upload_handler.DataDirUploadHandler",
]
STORAGES = {
    "files": file_storage.get_storage(DATA_DIR, served_by_proxy=bool(FILES_ACCEL)),
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "chatty.assets.static_files.BundlingManifestStorage",
        # A proxy may read them, whatever the umask.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}

# --- Mail -----------------------------------------------------------------------------------------

vars().update(env.get_email(f"chatty@{PUBLIC_ADDRESS.host if PUBLIC_ADDRESS else 'localhost'}"))
EMAIL_TIMEOUT = 10
# Whether emails reach people. Without it, nothing depends on an email.
MAIL_SET_UP = not str(vars()["EMAIL_BACKEND"]).endswith(".console.EmailBackend")

# --- Limits ---------------------------------------------------------------------------------------

HTTP_RUNNING = env.get_int("HTTP_RUNNING")
HTTP_WAITING = env.get_int("HTTP_WAITING")
HTTP_HEADER_SECONDS = env.get_float("HTTP_HEADER_SECONDS")
HTTP_BODY_SECONDS = env.get_float("HTTP_BODY_SECONDS")
HTTP_BODY_MAX = env.get_int("HTTP_BODY_MAX")
DATA_UPLOAD_MAX_MEMORY_SIZE = HTTP_BODY_MAX
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 2000  # more than a message can have, so that it can be said
MESSAGE_MAX = env.get_int("MESSAGE_MAX")
MESSAGE_FILES_MAX, FILE_ALT_MAX = 10, 1_000  # of a message; characters of the description of each
# Bytes of an incoming frame: a message needs at most 12 for each character, as JSON and in a form, and
# something for each of its files and for its other fields.
FRAME_MAX = 12 * (MESSAGE_MAX + MESSAGE_FILES_MAX * FILE_ALT_MAX) + MESSAGE_FILES_MAX * 200 + 4_096
SHUTDOWN_SECONDS = env.get_int("SHUTDOWN_SECONDS")
STATEMENT_SECONDS = env.get_float("STATEMENT_SECONDS")
SOCKET_THREADS = env.get_int("SOCKET_THREADS", 8 if env.get_str("DATABASE_URL") else 4)
SOCKETS_PER_USER = env.get_int("SOCKETS_PER_USER")
SOCKETS_PER_ADDRESS = env.get_int("SOCKETS_PER_ADDRESS")
TICK_SECONDS = env.get_float("TICK_SECONDS")
PRESENCE_SECONDS = env.get_float("PRESENCE_SECONDS")
PRESENCE_MEMBERS = env.get_int("PRESENCE_MEMBERS")

# By the name of the bucket in chatty/common/limiter.py.
LIMITS = env.get_rates()

# --- REST -----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # The first class determines the scheme in a 401. If a Bearer token is sent, nothing else counts.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.SignInJWTAuthentication",
        "accounts.api.authentication.SignInSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["chatty.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["chatty.api.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "chatty.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "chatty.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is a parameter of /api/schema/ alone
    "NUM_PROXIES": 0,  # X-Forwarded-For is handled in chatty/server/proxy_headers.py
}

_DESCRIPTION = """\
Everything that Chatty's pages can do. Live events come over a WebSocket at `/ws/`.

Sign in with `POST /api/token/`, and send the access token with each request, as
`Authorization: Bearer <access>`. Bodies are JSON. Unknown fields and parameters are rejected, and
values are not converted. An error has a `code` for programs and a `detail` for people.

Later versions can add fields, codes, kinds of messages and other choices to responses. Ignore what
you don't know.
"""

SPECTACULAR_SETTINGS = {
    "TITLE": "Chatty",
    "VERSION": "2",  # of the subprotocol
    "DESCRIPTION": _DESCRIPTION,
    "OAS_VERSION": "3.1.1",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "SERVERS": [{"url": "/", "description": "This server"}],
    "TAGS": [
        {"name": "Overview", "description": "What is where."},
        {"name": "Signing in", "description": "Accounts, and the tokens of programs."},
        {"name": "Account", "description": "Your own account."},
        {"name": "People", "description": "Everyone with an account."},
        {"name": "Conversations", "description": "Groups and direct messages, as you see them."},
        {"name": "Members", "description": "Who is in a conversation."},
        {"name": "Messages", "description": "Messages, notices and reactions."},
        {
            "name": "Custom emoji",
            "description": "Pictures with a name, for messages and reactions.",
        },
        {"name": "Uploads", "description": "Files, before they are sent with a message."},
        {"name": "Search", "description": "Finding messages."},
        {"name": "Invitations", "description": "Links and emails with which people can join."},
        {"name": "Requests to join", "description": "Asking to join a group, and answering."},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    # The session of a browser is for Chatty's own pages.
    "AUTHENTICATION_WHITELIST": ["accounts.api.authentication.SignInJWTAuthentication"],
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # the serializers of changes know which fields are required
    "POSTPROCESSING_HOOKS": ["chatty.api.schema.refine"],
    "SCHEMA_PATH_PREFIX": "/api",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Logs -----------------------------------------------------------------------------------------

LOGGING = logs.configuration(
    env.get_choice("LOG_LEVEL"),
    DEBUG,
    form=env.get_choice("LOG_FORMAT"),
    access=env.get_choice("ACCESS_LOG"),
)
