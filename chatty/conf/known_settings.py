"""Every setting that operators can change, declared once: name, kind, default, limits, description.

Sizes, times and rates are in known_limits.py. chatty/conf/env.py reads only the settings declared here,
and parses each as its declared kind. `python -m docs.settings` writes docs/settings.md and .env.example
from them, in this order. Imports nothing from Django, so it can be loaded before settings exist.

Descriptions are Markdown, for docs/settings.md; .env.example shows them without the markup.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatty.conf.known_files import FILES_GROUP
from chatty.conf.known_limits import LIMIT_GROUPS
from chatty.conf.setting import Group, Setting

GROUPS = (
    Group(
        "Basics",
        (
            Setting(
                name="PUBLIC_URL",
                kind="url",
                description="The address people type into their browser. It determines the allowed host "
                "name, the links in emails and, with https, secure cookies, redirects and HSTS. "
                "Without it, Chatty only answers requests to `localhost`, `127.0.0.1` and `[::1]`.",
                form="`http://` or `https://` and a host, without a path",
                example="https://chat.example.org",
            ),
            Setting(
                name="HOST",
                kind="text",
                description="The IP address or host name that `manage.py serve` listens on. Use `0.0.0.0` to "
                "accept connections from other machines, for example from a proxy.",
                default="127.0.0.1",
            ),
            Setting(
                name="PORT",
                kind="whole number",
                description="The port that `manage.py serve` listens on. With `0`, the system picks "
                "a free port.",
                default="8000",
                most=65535,
            ),
            Setting(
                name="DATA_DIR",
                kind="path",
                description="The directory for the SQLite database and the secret key. Only the user "
                "who runs Chatty should have access to it.",
                default="var",
                default_note="`var` in the directory of `manage.py`",
                example="/var/lib/chatty",
            ),
            Setting(
                name="STATIC_ROOT",
                kind="path",
                description="The directory in which `manage.py setup` collects the static files (scripts, "
                "styles and icons).",
                default="staticfiles",
                default_note="`staticfiles` in the directory of `manage.py`",
                example="/var/lib/chatty/static",
            ),
            Setting(
                name="SECRET_KEY",
                kind="secret",
                description="Signs sessions and tokens. `manage.py setup` generates a key and stores it in "
                "`DATA_DIR`, so set this only if several machines share a database: every process "
                "needs the same key. To generate one: `openssl rand -hex 32`.",
                form="at least 32 random characters",
                default_note="the key that `setup` stored",
            ),
            Setting(
                name="SECRET_KEY_FALLBACKS",
                kind="list",
                description="Previous secret keys that are still accepted. After you change `SECRET_KEY`, "
                "keep the old key here for 30 days, so that no one is signed out and messages "
                "that are sent again are recognised. A key with spaces or commas can't be listed.",
            ),
        ),
    ),
    Group(
        "Database and Redis",
        (
            Setting(
                name="DATABASE_URL",
                kind="url",
                description="The database: PostgreSQL, or an SQLite file. SQLite supports one process. In "
                "a password, write `/`, `#`, `?` and `@` as `%2F`, `%23`, `%3F` and `%40`.",
                form="`postgres://user:password@host:5432/name` or `sqlite:////path/to/file`",
                default_note="an SQLite database in `DATA_DIR`",
                example="postgres://chatty:password@127.0.0.1:5432/chatty",
            ),
            Setting(
                name="DATABASE_POOL",
                kind="whole number",
                description="The maximum number of PostgreSQL connections for each process. Requests "
                "(`HTTP_RUNNING`), sockets (`SOCKET_THREADS`) and four other threads share them.",
                default="24",
                unit="connections",
                least=2,
                most=1000,
            ),
            Setting(
                name="DATABASE_PREPARE",
                kind="flag",
                description="Set this to `0` if PgBouncer runs in transaction mode in front of "
                "PostgreSQL. Chatty then doesn't rely on the state of a PostgreSQL session.",
                default="1",
            ),
            Setting(
                name="BACKGROUND_WORK",
                kind="flag",
                description="Whether `serve` does the background work: jobs, emails, and what follows "
                "from messages. Set this to `0` if `manage.py work` does it, which needs PostgreSQL.",
                default="1",
            ),
            Setting(
                name="REDIS_URL",
                kind="url",
                description="The Redis server that carries events between processes and counts rate "
                "limits for all of them. Required for more than one process. Redis stores nothing "
                "that has to be kept.",
                form="`redis://`, `rediss://` (TLS), `unix://` (a socket), `redis+sentinel://` or "
                "`rediss+sentinel://`",
                example="redis://127.0.0.1:6379/0",
            ),
        ),
    ),
    Group(
        "Mail",
        (
            Setting(
                name="EMAIL_URL",
                kind="url",
                description="The mail server that sends emails: password resets, confirmations of addresses, "
                "answers to sign-ups. Without it, emails are "
                "printed to the server's output. In a password, write `/`, `#`, `?` and `@` "
                "as `%2F`, `%23`, `%3F` and `%40`.",
                form="`smtp+tls://` (STARTTLS), `smtp+ssl://` (TLS from the start), `smtp://` or "
                "`consolemail://`",
                example="smtp+tls://user:password@mail.example.org:587",
            ),
            Setting(
                name="EMAIL_FROM",
                kind="text",
                description="The sender of emails. The mail server has to allow this address. Without a "
                "name, the sender is named after the installation.",
                default_note="`chatty@HOST`, with the host of `PUBLIC_URL`",
                example="chatty@example.org",
            ),
        ),
    ),
    Group(
        "Sign-up and accounts",
        (
            Setting(
                name="ADMIN_EMAIL",
                kind="text",
                description="The email address of the first administrator. `manage.py setup` creates "
                "the account if there is no administrator yet.",
                default_note="`admin@HOST`, with the host of `PUBLIC_URL`",
                example="you@example.org",
            ),
            Setting(
                name="SIGN_UP",
                kind="choice",
                description="Who can create an account: everyone who can reach Chatty (`open`), people "
                "with an invitation (`invited`), everyone after an administrator has approved it "
                "(`approved`; an invitation counts as approval), or only administrators (`closed`). "
                "Without this setting, administrators choose it in the admin site, and a change takes "
                "effect within a second. With it, the admin site only shows it.",
                default_note="the choice in the admin site, at first `open`",
                choices=("open", "invited", "approved", "closed"),
                example="closed",
            ),
            Setting(
                name="SIGN_UP_DOMAINS",
                kind="list",
                description="Domains whose people can sign up by themselves, whatever `SIGN_UP` says: "
                "everyone with an address at one of them, once a link in an email has proved that it is "
                "theirs. `example.org` does not include `mail.example.org`. Requires `EMAIL_URL`.",
                example="example.org,example.com",
            ),
            Setting(
                name="CUSTOM_EMOJI",
                kind="choice",
                description="Who can add custom emoji: everyone with an account (`everyone`), or only "
                "administrators (`administrators`). Without this setting, administrators choose it on the "
                "page *Installation*, and a change takes effect within a second. With it, that page only "
                "shows it.",
                default_note="the choice on the page *Installation*, at first `everyone`",
                choices=("everyone", "administrators"),
                example="administrators",
            ),
            Setting(
                name="PASSWORD_MIN_LENGTH",
                kind="whole number",
                description="The minimum length of a new password.",
                default="8",
                unit="characters",
                least=8,
                most=64,
            ),
            Setting(
                name="SESSION_DAYS",
                kind="whole number",
                description="How long a browser stays signed in after it was last used.",
                default="30",
                unit="days",
                least=1,
                most=400,
            ),
            Setting(
                name="OFFLINE_READING",
                kind="flag",
                description="Whether browsers keep the latest messages of the latest conversations for "
                "reading without a connection, for at most seven days. People can turn it off for a "
                "browser. Set this to `0` if messages must not be stored on people's devices.",
                default="1",
            ),
            Setting(
                name="ACCESS_TOKEN_SECONDS",
                kind="whole number",
                description="How long an access token of the API is valid.",
                default="600",
                unit="seconds",
                least=1,
            ),
            Setting(
                name="REFRESH_TOKEN_DAYS",
                kind="whole number",
                description="How long a refresh token of the API is valid. Each use returns a new one.",
                default="30",
                unit="days",
                least=1,
            ),
        ),
    ),
    Group(
        "Proxies and TLS",
        (
            Setting(
                name="TRUSTED_PROXIES",
                kind="networks",
                description="The proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and "
                "`X-Forwarded-Host` headers are used. Chatty ignores these headers from anyone else. "
                "Required behind a proxy with TLS.",
                example="127.0.0.1 10.0.0.0/8",
            ),
            Setting(
                name="CSRF_TRUSTED_ORIGINS",
                kind="origins",
                description="Other websites whose pages can submit forms to Chatty and open WebSockets. "
                "Rarely needed. `https://*.example.org` includes all subdomains.",
                example="https://www.example.org",
            ),
            Setting(
                name="API_ORIGINS",
                kind="origins",
                description="Other websites whose scripts can use the API and open WebSockets (CORS). They "
                "always need an access token; the cookies of your users are of no use to them. "
                "`https://*.example.org` includes all subdomains.",
                example="https://dashboard.example.org",
            ),
            Setting(
                name="HSTS_SECONDS",
                kind="whole number",
                description="How long browsers remember to use https only (HSTS). Applies if "
                "`PUBLIC_URL` begins with `https://`. The default is one year.",
                default="31536000",
                unit="seconds",
            ),
            Setting(
                name="HSTS_SUBDOMAINS",
                kind="flag",
                description="Applies HSTS to all subdomains too, and allows browsers to include the "
                "domain in their preload lists.",
                default="0",
            ),
        ),
    ),
    Group(
        "Logs and monitoring",
        (
            Setting(
                name="LOG_LEVEL",
                kind="choice",
                description="Messages of this level and above are logged.",
                default="info",
                choices=("debug", "info", "warning", "error"),
            ),
            Setting(
                name="LOG_FORMAT",
                kind="choice",
                description="The format of the log: text lines, or one JSON object for each line.",
                default="line",
                choices=("line", "json"),
            ),
            Setting(
                name="ACCESS_LOG",
                kind="choice",
                description="Logs every request, without its query string and without the secrets of "
                "links in emails. `on` uses `LOG_FORMAT`; `json` always writes JSON.",
                default="off",
                choices=("off", "on", "json"),
            ),
            Setting(
                name="METRICS_TOKEN",
                kind="secret",
                description="The bearer token that is required to read `/metrics`. Without it, only "
                "programs on the same machine can read `/metrics`, and only if neither `PUBLIC_URL` nor "
                "`TRUSTED_PROXIES` is set. To generate one: `openssl rand -hex 32`.",
                form="at least 32 characters",
            ),
        ),
    ),
    FILES_GROUP,
    *LIMIT_GROUPS,
    Group(
        "Development",
        (
            Setting(
                name="DEBUG",
                kind="flag",
                description="Shows detailed error pages and serves static files without collecting "
                "them. Never use it in production: error pages contain secrets.",
                default="0",
            ),
        ),
    ),
)

SETTINGS = {setting.name: setting for group in GROUPS for setting in group.settings}

# Read by other software that runs Chatty or runs next to it, so they are allowed in `.env` too.
FOREIGN = {
    "WORKERS": "The number of worker processes that the systemd unit `deploy/chatty.service` starts. "
    "Set it in the unit.",
    "WEB_CONCURRENCY": "The number of processes of servers such as gunicorn. Chatty doesn't "
    "start with more than one unless PostgreSQL and Redis are used.",
    "PROMETHEUS_MULTIPROC_DIR": "An empty directory in which the workers of another server than `serve` "
    "share their metrics.",
    "DJANGO_SETTINGS_MODULE": "The settings module, `chatty.settings` by default.",
    "POSTGRES_PASSWORD": "The password of PostgreSQL in `compose.yaml`.",
    "COMPOSE_FILE": "Read by Docker Compose.",
    "COMPOSE_PROFILES": "Read by Docker Compose.",
    "COMPOSE_PROJECT_NAME": "Read by Docker Compose.",
}


def _names() -> Iterator[str]:
    for name in SETTINGS:
        yield name
        yield f"{name}_FILE"
    yield from FOREIGN


NAMES = frozenset(_names())
