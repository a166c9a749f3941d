"""The settings that limit sizes, times and rates, as part of chatty/conf/known_settings.py."""

from __future__ import annotations

from chatty.conf.setting import Group, Setting

LIMIT_GROUPS = (
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
                name="MESSAGE_MAX",
                kind="whole number",
                description="The maximum length of a message. Longer frames, requests and pages follow from "
                "it. Messages that are longer already stay as they are.",
                default="10000",
                unit="characters",
                least=500,
                most=40_000,
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
                name="LIMIT_CONFIRM",
                kind="rate",
                description="Emails with a link that confirms an address, to one email address.",
                default="5/h",
            ),
            Setting(
                name="LIMIT_CONFIRM_ADDRESS",
                kind="rate",
                description="The same requested from one address, and confirmations tried from it.",
                default="30/h",
            ),
            Setting(
                name="LIMIT_CONFIRM_ALL",
                kind="rate",
                description="The same requested from all addresses together.",
                default="300/h",
            ),
            Setting(
                name="LIMIT_SIGN_UP",
                kind="rate",
                description="Sign-ups from one address.",
                default="20/h",
            ),
            Setting(
                name="LIMIT_SIGN_UP_REQUESTS",
                kind="rate",
                description="Sign-ups with one email address that ask for approval "
                "(`SIGN_UP=approved`).",
                default="3/7d",
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
                name="LIMIT_INVITATIONS",
                kind="rate",
                description="Invitations that one person creates. Each email counts as one.",
                default="100/d",
            ),
            Setting(
                name="LIMIT_INVITATION_EMAILS",
                kind="rate",
                description="Invitation emails to one email address, from everyone together.",
                default="3/d",
            ),
            Setting(
                name="LIMIT_INVITATION_EMAILS_ALL",
                kind="rate",
                description="Invitation emails from everyone to all addresses together.",
                default="300/h",
            ),
            Setting(
                name="LIMIT_INVITATION_GUESSES",
                kind="rate",
                description="Links of invitations that don't exist, opened from one address.",
                default="30/5m",
            ),
            Setting(
                name="LIMIT_CUSTOM_EMOJI",
                kind="rate",
                description="Custom emoji that one person adds or renames.",
                default="50/h",
            ),
            Setting(
                name="LIMIT_MENTIONS_ALL",
                kind="rate",
                description="Messages by one person that mention everyone with `@all`. Counted by each "
                "process.",
                default="10/30m",
            ),
            Setting(
                name="LIMIT_PINS",
                kind="rate",
                description="Messages that one person pins or unpins.",
                default="30/5m",
            ),
            Setting(
                name="LIMIT_JOINS",
                kind="rate",
                description="Public conversations that one person joins.",
                default="60/10m",
            ),
            Setting(
                name="LIMIT_JOIN_REQUESTS",
                kind="rate",
                description="Requests to join conversations by one person.",
                default="20/d",
            ),
            Setting(
                name="LIMIT_JOIN_LINKS",
                kind="rate",
                description="Links to ask to join that don't exist, opened by one person.",
                default="30/h",
            ),
            Setting(
                name="LIMIT_PEOPLE",
                kind="rate",
                description="Searches for people by one person.",
                default="120/m",
            ),
            Setting(
                name="LIMIT_SEARCH",
                kind="rate",
                description="Searches for messages by one person.",
                default="60/m",
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
                description="API requests by one person, apart from pictures. Counted by each process.",
                default="400/10s",
            ),
            Setting(
                name="LIMIT_UPLOADS",
                kind="rate",
                description="New uploads by one person.",
                default="200/10m",
            ),
            Setting(
                name="LIMIT_PIECES",
                kind="rate",
                description="Pieces of uploads by one person: up to 1 MiB each. Counted by each process.",
                default="3000/m",
            ),
            Setting(
                name="LIMIT_DOWNLOADS",
                kind="rate",
                description="Files and thumbnails requested by one person. Counted by each process.",
                default="1200/m",
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
)
