import ast
import ipaddress
import re

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatty.common.limiter import parse_rate
from chatty.conf import env
from chatty.conf.known_settings import FOREIGN, GROUPS, NAMES, SETTINGS
from chatty.conf.names import require_known_names
from chatty.conf.setting import Setting
from chatty.postgres import WatchedConnection
from docs import settings as reference

pytestmark = pytest.mark.once


@pytest.fixture
def given(monkeypatch):
    """given(NAME="value") sets environment variables for one test."""

    def given(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return given


@pytest.fixture
def declare(monkeypatch):
    """declare(A="flag") declares a setting of this kind for one test; a dict gives more fields."""

    def declare(**settings):
        for name, fields in settings.items():
            if isinstance(fields, str):
                fields = {"kind": fields}
            setting = Setting(name=name, description="", **fields)
            monkeypatch.setitem(SETTINGS, name, setting)

    return declare


@pytest.mark.parametrize(
    ("value", "origin", "host"),
    [
        ("https://chat.example.org", "https://chat.example.org", "chat.example.org"),
        ("https://chat.example.org:443/", "https://chat.example.org", "chat.example.org"),
        ("https://chat.example.org:8443", "https://chat.example.org:8443", "chat.example.org"),
        ("http://[::1]:8000", "http://[::1]:8000", "[::1]"),
        ("HTTPS://Chat.Example.org", "https://chat.example.org", "chat.example.org"),
        ("http://München.example", "http://xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("http://chat_app:8000", "http://chat_app:8000", "chat_app"),
    ],
)
def test_public_url_is_normalized_to_an_origin(given, value, origin, host):
    given(PUBLIC_URL=value)
    address = env.get_public_address()
    assert (address.origin, address.host) == (origin, host)
    assert address.socket_origin == origin.replace("http", "ws", 1)


@pytest.mark.parametrize(
    "value",
    [
        *("chat.example.org", "ftp://x", "https://", "https://x/path", "https://u@x"),
        *("https://x:port", "https://a b", "https://a,b", "http://xn--ü"),
    ],
)
def test_invalid_public_url_is_rejected(given, value):
    given(PUBLIC_URL=value)
    with pytest.raises(ImproperlyConfigured, match="must look like"):
        env.get_public_address()


COLOURS = {"kind": "choice", "choices": ("red", "green"), "default": "red"}


def test_invalid_values_are_rejected_by_name(declare, given):
    declare(A="flag", B="number", C="whole number", D=COLOURS, E="networks")
    declare(F={"kind": "whole number", "most": 10})
    given(A="maybe", B="many", C="1.5", D="blue", E="10.0.0.0/99", F="99")
    for call in (
        lambda: env.get_bool("A"),
        lambda: env.get_float("B"),
        lambda: env.get_int("C"),
        lambda: env.get_choice("D"),
        lambda: env.get_networks("E"),
        lambda: env.get_int("F"),
    ):
        with pytest.raises(ImproperlyConfigured, match=r"^[A-F]"):
            call()


def test_empty_value_means_the_default(declare, given):
    declare(A={"kind": "flag", "default": "1"}, B={"kind": "whole number", "default": "7"})
    declare(C=COLOURS, D="networks")
    given(A="", B=" ", C="", D="")
    assert env.get_bool("A") is True
    assert env.get_int("B") == 7
    assert env.get_int("B", 8) == 8  # a default that depends on others
    assert env.get_choice("C") == "red"
    assert env.get_networks("D") == []


def test_setting_is_only_read_as_its_declared_kind(declare):
    declare(A="flag")
    with pytest.raises(LookupError, match="A is declared as flag, and read as whole number"):
        env.get_int("A")
    with pytest.raises(LookupError, match="B is not declared"):
        env.get_str("B")


def test_default_path_is_next_to_manage_py(declare, given):
    declare(A={"kind": "path", "default": "var"})
    assert env.get_path("A") == env.BASE_DIR / "var"
    given(A="var")
    assert str(env.get_path("A")) == "var"


def test_networks_are_separated_by_commas_or_spaces(declare, given):
    declare(A="networks")
    given(A="10.0.0.1, fd00::/8 192.168.1.7/24")
    assert env.get_networks("A") == [
        ipaddress.ip_network("10.0.0.1/32"),
        ipaddress.ip_network("fd00::/8"),
        ipaddress.ip_network("192.168.1.0/24"),
    ]


def test_value_is_read_from_a_file(declare, given, tmp_path):
    file = tmp_path / "secret"
    file.write_text("from-a-file\n")
    declare(Z="text")
    given(Z_FILE=str(file))
    assert env.get_str("Z") == "from-a-file"


def test_postgresql_url_configures_a_checked_pool(given, tmp_path):
    given(DATABASE_URL="postgres://chatty:pass@db.example.org:5433/chat", DATABASE_POOL="7")
    config = env.get_database(tmp_path)
    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert (config["HOST"], config["PORT"], config["NAME"]) == ("db.example.org", 5433, "chat")
    assert config["OPTIONS"]["pool"] == {
        "min_size": 2,
        "max_size": 7,
        "timeout": 5,
        "connection_class": WatchedConnection,
    }
    assert config["OPTIONS"]["tcp_user_timeout"] == 10_000
    given(DATABASE_URL="postgres://chatty@db.example.org/chat?tcp_user_timeout=3000")
    assert env.get_database(tmp_path)["OPTIONS"]["tcp_user_timeout"] in (3000, "3000")
    assert (config["CONN_MAX_AGE"], config["CONN_HEALTH_CHECKS"]) == (0, True)


def test_default_database_is_sqlite_in_the_data_directory(given, tmp_path):
    given(DATABASE_URL="")
    config = env.get_database(tmp_path)
    assert config["ENGINE"] == "chatty.sqlite"
    assert config["NAME"] == tmp_path / "chatty.db"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mysql://x/y",
            "sqlite://:memory:",
            "sqlite://chatty.db",
            "nonsense",
            "postgres:u:S3CRET@h/d",
        ),
        *("postgres://u:S3CR/ET@h/d", "postgres://u:12/S3CRET@h/d", "postgres://u:S3#CRET@h/d"),
        *("postgres://u:12#S3CRET@h/d", "postgres://u:S3CRET@host", "postgres://u:S3CRET@[h/d"),
        "postgres://u:S3CRET@h/d?sslmod=require",
    ],
)
def test_invalid_database_url_is_rejected_without_showing_the_password(given, tmp_path, url):
    given(DATABASE_URL=url)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as refused:
        env.get_database(tmp_path)
    assert "S3" not in str(refused.value)
    assert "CRET" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "smpt://u:S3CRET@h",
        "smtp://",
        "smtp://u:S3#CRET@h",
        "smtp://u:S3/CRET@h",
    ],
)
def test_invalid_email_url_is_rejected_without_showing_the_password(given, url):
    given(EMAIL_URL=url)
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL must look like") as refused:
        env.get_email("")
    assert "CRET" not in str(refused.value)


def test_origins_are_validated_and_converted_to_ascii(declare, given):
    declare(A="origins")
    given(A="https://www.example.org:8443/, https://*.münchen.example")
    assert env.get_origins("A") == [
        "https://www.example.org:8443",
        "https://*.xn--mnchen-3ya.example",
    ]
    given(A="www.example.org")
    with pytest.raises(ImproperlyConfigured, match=r"^A: 'www\.example\.org' must look like"):
        env.get_origins("A")


def test_choice_without_a_default_can_be_left_out(declare, given):
    declare(A={"kind": "choice", "choices": ("x", "y")})
    given(A="")
    assert env.get_choice("A") == ""


# --- .env and names ---------------------------------------------------------------------------------


@pytest.fixture
def dotenv(tmp_path, monkeypatch):
    """dotenv("HOST=x") reads a file with this content; the environment is restored afterwards."""
    for name in ("HOST", "DATABASE_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def dotenv(content):
        path = tmp_path / ".env"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        env.read_file(path)

    return dotenv


def test_env_file_is_read(dotenv):
    dotenv("\ufeffHOST=0.0.0.0\n\n  # a comment\nexport DATABASE_URL='sqlite:////x'\n")
    assert env.get_str("HOST") == "0.0.0.0"
    assert env.get_str("DATABASE_URL") == "sqlite:////x"


def test_missing_env_file_is_ignored(tmp_path):
    env.read_file(tmp_path / ".env")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("HOST=x\nDATABSE_URL=postgres://u:S3CRET@h/d", "line 2: .* DATABSE_URL.* DATABASE_URL"),
        ("ADDRESS=x", "line 1: unknown setting ADDRESS"),
        ("public_url=https://x", "PUBLIC_URL"),
        ("LIMIT_SIGNIN=1/s", "LIMIT_SIGN_IN"),
        ("HOST = x", "line 1 must look like NAME=value"),
        ("S3CRET", "line 1 must look like"),
        ("HOST=a\nHOST=b", "line 2: HOST is set twice"),
        (b"HOST=\xff", "not UTF-8 text"),
    ],
)
def test_invalid_env_file_is_rejected_with_the_line(dotenv, content, said):
    with pytest.raises(ImproperlyConfigured, match=said) as refused:
        dotenv(content)
    assert "S3CRET" not in str(refused.value)


def test_unreadable_env_file_is_rejected(tmp_path):
    (tmp_path / ".env").mkdir()  # permissions would not stop root
    with pytest.raises(ImproperlyConfigured, match=r"Can't read .*: Is a directory"):
        env.read_file(tmp_path / ".env")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URLS", "DATABASE_URL"),
        ("DATABASE_ULR", "DATABASE_URL"),
        ("DATABASE-URL", "DATABASE_URL"),
        ("ATABASE_URL", "DATABASE_URL"),
        ("Database_Url", "DATABASE_URL"),
        ("SECRET_KEY_FLE", "SECRET_KEY_FILE"),
        ("PROT", "PORT"),
        ("DEBG", "DEBUG"),
    ],
)
def test_misspelled_setting_is_rejected_with_a_suggestion(name, meant):
    with pytest.raises(
        ImproperlyConfigured, match=f"variable {name} is .* Did you mean {meant}\\?"
    ):
        require_known_names({name: "x"})


def test_unrelated_environment_variables_are_ignored():
    """Including those that shells, CI, containers, proxies and other programs set."""
    others = (
        "HOSTNAME HOSTS HOME PATH PWD LANG LC_ALL TERM USER SHELL POST PORTS LOGLEVEL DATADIR VHOST "
        "http_proxy port host debug PGHOST PGPORT REDIS_HOST REDIS_PORT DATABASE_HOST SMTP_HOST MAIL_URL "
        "SECRET SECRETS_KEY_ID DJANGO_DEBUG DJANGO_SECRET_KEY XDG_DATA_DIRS WORKERS WEB_CONCURRENCY "
        "CHATTY_PORT_8000_TCP KUBERNETES_PORT PUBLIC_IP LOGNAME EMAIL DEBUGINFOD_URLS"
    )
    require_known_names(dict.fromkeys(others.split(), "x"))
    require_known_names(dict.fromkeys(NAMES, "x"))


def test_setting_given_as_value_and_file_is_rejected(declare, given, tmp_path):
    declare(Y="text")
    given(Y="x", Y_FILE=str(tmp_path / "a"))
    with pytest.raises(ImproperlyConfigured, match="Y and Y_FILE are both set"):
        env.get_str("Y")
    given(Y="")
    with pytest.raises(ImproperlyConfigured, match=r"Can't read Y_FILE=.*: No such file"):
        env.get_str("Y")


def test_derived_keys_are_stable_and_differ_by_purpose():
    one = env.derive_key("secret", "jwt")
    assert one == env.derive_key("secret", "jwt")
    assert one != env.derive_key("secret", "other")
    assert one != env.derive_key("another", "jwt")
    assert "secret" not in one


# --- the declarations -------------------------------------------------------------------------------


def sources():
    """Yield the syntax trees of the product's own code."""
    for path in ("chatty", "accounts", "conversations"):
        for file in (env.BASE_DIR / path).rglob("*.py"):
            if "tests" not in file.parts:
                yield ast.parse(file.read_text())


def read_names():
    """Return the names that are read from the environment: by chatty/conf/env.py, and past it."""
    read, past = set(), set()
    for tree in sources():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Name(id=reader) | ast.Attribute(attr=reader),
                    args=[ast.Constant(value=str(name)), *_],
                ) if reader.startswith("get_") and re.fullmatch(r"[A-Z][A-Z_]+", name):
                    read.add(name)
            if isinstance(node, ast.Call | ast.Subscript) and "environ" in ast.unparse(node):
                past |= set(re.findall(r"'([A-Z][A-Z_]+)'", ast.unparse(node)))
    return read, past


def test_declared_settings_match_the_code():
    read, past = read_names()
    rates = {name for name, setting in SETTINGS.items() if setting.kind == "rate"}
    assert {"DATABASE_URL", "SECRET_KEY", "DEBUG"} <= read
    # PUBLIC_URL is the default of an argument.
    assert read | rates | {"PUBLIC_URL"} == SETTINGS.keys()
    assert "WEB_CONCURRENCY" in past
    assert past <= FOREIGN.keys()


def test_every_setting_is_declared_once_with_a_description():
    declared = [setting for group in GROUPS for setting in group.settings]
    assert len(declared) == len(SETTINGS)
    for setting in declared:
        assert re.fullmatch(r"[A-Z`].{10,}\.", setting.description), setting
        assert bool(setting.choices) == (setting.kind == "choice"), setting
        assert not (setting.default_note and setting.default) or setting.kind == "path", setting
        assert not setting.unit or setting.kind in {"number", "whole number"}, setting


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
def test_default_and_example_of_each_setting_are_valid(setting, given):
    readers = {
        "flag": env.get_bool,
        "number": env.get_float,
        "whole number": env.get_int,
        "choice": env.get_choice,
        "networks": env.get_networks,
        "origins": env.get_origins,
        "rate": lambda name: parse_rate(env.get_str(name)),
    }
    read = readers.get(setting.kind, env.get_str)
    for value in filter(None, (setting.default, setting.example)):
        given(**{setting.name: value})
        read(setting.name)
    if setting.kind in {"flag", "number", "whole number", "choice", "rate"}:
        assert setting.default or setting.default_note, setting


@pytest.mark.parametrize(
    ("path", "write"),
    [(reference.REFERENCE, reference.reference), (reference.EXAMPLE, reference.example)],
    ids=lambda each: getattr(each, "name", ""),
)
def test_settings_reference_is_up_to_date(path, write):
    """`python -m docs.settings` writes docs/settings.md and .env.example."""
    assert path.read_text() == write()
    for name in SETTINGS:
        assert re.search(rf"^(### |\| `|#){name}\b", path.read_text(), re.MULTILINE), name
