"""Every setting that operators can change, declared once: name, kind, default, limits, description.

chatty/conf/env.py reads only the settings declared here, and parses each as its declared kind.
`python -m docs.settings` writes docs/settings.md and .env.example from it, in this order. Imports
nothing from Django, so it can be loaded before settings exist.

Descriptions are Markdown, for docs/settings.md; .env.example shows them without the markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text",
    "url",
    "secret",
    "path",
    "flag",
    "number",
    "whole number",
    "choice",
    "list",
    "networks",
    "origins",
    "rate",
]
UNBOUNDED = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`kind` chooses the function of chatty/conf/env.py that reads it.

    `default` is written as in the environment. It is "" if there is none, or if it depends on other
    settings; `default_note` then says what it is, and the code that reads the setting passes it.
    """

    name: str
    kind: Kind
    description: str
    default: str = ""
    default_note: str = ""
    unit: str = ""
    least: float = 0
    most: float = UNBOUNDED
    choices: tuple[str, ...] = ()
    form: str = ""  # the format of a value, if `kind` is not specific enough
    example: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    settings: tuple[Setting, ...]
    description: str = ""


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
                "keep the old key here for a while so that no one is signed out.",
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
                "(`HTTP_RUNNING`), sockets (`SOCKET_THREADS`) and three other threads share them.",
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
                description="The mail server that sends password reset emails. Without it, emails are "
                "printed to the server's output. In a password, write `/`, `#`, `?` and `@` "
                "as `%2F`, `%23`, `%3F` and `%40`.",
                form="`smtp+tls://` (STARTTLS), `smtp+ssl://` (TLS from the start), `smtp://` or "
                "`consolemail://`",
                example="smtp+tls://user:password@mail.example.org:587",
            ),
            Setting(
                name="EMAIL_FROM",
                kind="text",
                description="The sender of emails. The mail server has to allow this address.",
                default_note="`Chatty <chatty@HOST>`, with the host of `PUBLIC_URL`",
                example="Chatty <chatty@example.org>",
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
                description="Who can create an account: everyone who can reach Chatty (`open`), or only "
                "administrators (`closed`).",
                default="open",
                choices=("open", "closed"),
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
    Group(
        "Limits",
        (
            Setting(
                name="HTTP_RUNNING",
                kind="whole number",
                description="The maximum number of requests that each process handles at once.",
                default="12",
                unit="requests",
                least=1,
                most=1000,
            ),
            Setting(
                name="HTTP_WAITING",
                kind="whole number",
                description="The maximum number of requests that wait in each process while "
                "`HTTP_RUNNING` others are handled. Further requests get status 503.",
                default="64",
                unit="requests",
                most=100_000,
            ),
            Setting(
                name="HTTP_BODY_MAX",
                kind="whole number",
                description="The largest request body. The default is 1 MiB. Uploads of profile pictures "
                "can be 5 MiB larger.",
                default="1048576",
                unit="bytes",
                least=65_536,
            ),
            Setting(
                name="SOCKET_THREADS",
                kind="whole number",
                description="The number of threads in each process that do database work for WebSockets. "
                "Each uses one database connection.",
                default_note="`8` if `DATABASE_URL` is set, else `4`",
                unit="threads",
                least=1,
                most=64,
                example="8",
            ),
            Setting(
                name="SOCKETS_PER_USER",
                kind="whole number",
                description="The maximum number of WebSockets per person in each process.",
                default="20",
                unit="WebSockets",
                least=1,
                most=10_000,
            ),
            Setting(
                name="SOCKETS_PER_ADDRESS",
                kind="whole number",
                description="The maximum number of WebSockets from one IP address on each process. An "
                "entire office can share one address. A network (IPv4 /24, IPv6 /48) can have ten times "
                "as many. Connections from the same machine aren't counted.",
                default="500",
                unit="WebSockets",
                least=1,
                most=100_000,
            ),
            Setting(
                name="PRESENCE_MEMBERS",
                kind="whole number",
                description="The largest conversation, in members, that shows who is online and who "
                "has read a message. `0` turns both off.",
                default="100",
                unit="members",
                most=1000,
            ),
        ),
    ),
    Group(
        "Timing",
        (
            Setting(
                name="HTTP_HEADER_SECONDS",
                kind="number",
                description="How long the headers of a request can take to arrive.",
                default="15",
                unit="seconds",
                least=0.5,
            ),
            Setting(
                name="HTTP_BODY_SECONDS",
                kind="number",
                description="How long each 16 KiB of a request body or of a response can take. Slower "
                "clients are disconnected.",
                default="10",
                unit="seconds",
                least=1,
            ),
            Setting(
                name="STATEMENT_SECONDS",
                kind="number",
                description="How long a database statement can take in a server process. PostgreSQL "
                "only. After two more seconds without a response, Chatty closes the connection.",
                default="5",
                unit="seconds",
                least=0.1,
                most=3600,
            ),
            Setting(
                name="TICK_SECONDS",
                kind="number",
                description="How often each process checks the database for events it has missed.",
                default="5",
                unit="seconds",
                least=0.05,
                most=60,
            ),
            Setting(
                name="PRESENCE_SECONDS",
                kind="number",
                description="How long someone is still shown as online after their last window is closed "
                "or the process that serves them is killed.",
                default="15",
                unit="seconds",
                least=2,
                most=600,
            ),
            Setting(
                name="SHUTDOWN_SECONDS",
                kind="whole number",
                description="How long a stopping server waits for requests that are still running.",
                default="15",
                unit="seconds",
                least=1,
                most=600,
            ),
        ),
    ),
    Group(
        "Rate limits",
        (
            Setting(
                name="LIMIT_SIGN_IN",
                kind="rate",
                description="Sign-in attempts for one account from one address. Successful attempts "
                "count too.",
                default="10/5m",
            ),
            Setting(
                name="LIMIT_PASSWORDS",
                kind="rate",
                description="Sign-in attempts for all accounts from one address. Successful attempts "
                "count too.",
                default="300/5m",
            ),
            Setting(
                name="LIMIT_SIGN_IN_ADDRESS",
                kind="rate",
                description="Failed sign-in attempts from one address.",
                default="50/5m",
            ),
            Setting(
                name="LIMIT_SIGN_IN_ALL",
                kind="rate",
                description="Failed sign-in attempts from all addresses together.",
                default="600/m",
            ),
            Setting(
                name="LIMIT_SIGN_IN_DEVICE",
                kind="rate",
                description="Additional attempts after one of the limits above is reached, for an account "
                "that has signed in before from the same browser or address.",
                default="10/5m",
            ),
            Setting(
                name="LIMIT_SIGN_IN_DEVICES",
                kind="rate",
                description="The same for one account from all browsers it has signed in from, together.",
                default="30/5m",
            ),
            Setting(
                name="LIMIT_RESET",
                kind="rate",
                description="Password reset emails to one email address.",
                default="5/h",
            ),
            Setting(
                name="LIMIT_RESET_ADDRESS",
                kind="rate",
                description="Password reset emails requested from one address.",
                default="20/h",
            ),
            Setting(
                name="LIMIT_RESET_ALL",
                kind="rate",
                description="Password reset emails requested from all addresses together.",
                default="300/h",
            ),
            Setting(
                name="LIMIT_SIGN_UP",
                kind="rate",
                description="Sign-ups from one address.",
                default="20/h",
            ),
            Setting(
                name="LIMIT_REFRESH",
                kind="rate",
                description="API tokens refreshed from one address.",
                default="300/m",
            ),
            Setting(
                name="LIMIT_PICTURES",
                kind="rate",
                description="Profile pictures uploaded by one person.",
                default="30/h",
            ),
            Setting(
                name="LIMIT_ADDITIONS",
                kind="rate",
                description="People that one person adds to groups or starts direct messages with.",
                default="500/d",
            ),
            Setting(
                name="LIMIT_PEOPLE",
                kind="rate",
                description="Searches for people by one person.",
                default="120/m",
            ),
            Setting(
                name="LIMIT_FRAMES",
                kind="rate",
                description="WebSocket frames from one person, counted by each process.",
                default="400/10s",
            ),
            Setting(
                name="LIMIT_REQUESTS",
                kind="rate",
                description="API requests for conversations and messages by one person, counted by each "
                "process.",
                default="400/10s",
            ),
            Setting(
                name="LIMIT_RENDERING",
                kind="rate",
                description="CPU time for rendering one person's Markdown, in milliseconds. Counted by "
                "each process.",
                default="1000/10s",
            ),
        ),
        description="How often someone can do something. `10/5m` allows ten at once, and then ten more "
        "every five minutes, spread evenly. The units are `s`, `m`, `h` and `d`. With Redis, a "
        "limit holds for all processes together unless its description says otherwise. An address is "
        "an IPv4 address or an IPv6 /64; the network it belongs to (IPv4 /24, IPv6 /48) is allowed "
        "ten times as much.",
    ),
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
