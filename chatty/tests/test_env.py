import ast
import ipaddress
import re

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatty.conf import env, known_settings
from chatty.conf.known_settings import SETTINGS, Setting
from chatty.postgres import WatchedConnection

pytestmark = pytest.mark.once


@pytest.fixture
def given(monkeypatch):
    """given(NAME="value") sets environment variables for one test."""

    def given(**values):
        for name, value in values.items():
            if len(short := name.removesuffix("_FILE")) == 1:
                monkeypatch.setitem(SETTINGS, short, Setting(short, "text", "", ""))
            monkeypatch.setenv(name, value)

    return given


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
    with pytest.raises(ImproperlyConfigured, match="should look like"):
        env.get_public_address()


def test_invalid_values_are_rejected_by_name(given):
    given(A="maybe", B="many", C="1.5", D="blue", E="10.0.0.0/99", F="99")
    for call in (
        lambda: env.get_bool("A"),
        lambda: env.get_float("B", 1),
        lambda: env.get_int("C", 1),
        lambda: env.get_choice("D", ("red", "green")),
        lambda: env.get_networks("E"),
        lambda: env.get_int("F", 1, most=10),
    ):
        with pytest.raises(ImproperlyConfigured, match=r"^[A-F]"):
            call()


def test_empty_value_means_the_default(given):
    given(A="", B=" ")
    assert env.get_bool("A", default=True) is True
    assert env.get_int("B", 7) == 7
    assert env.get_choice("A", ("red", "green")) == "red"
    assert env.get_networks("B") == []


def test_networks_are_separated_by_commas_or_spaces(given):
    given(A="10.0.0.1, fd00::/8 192.168.1.7/24")
    assert env.get_networks("A") == [
        ipaddress.ip_network("10.0.0.1/32"),
        ipaddress.ip_network("fd00::/8"),
        ipaddress.ip_network("192.168.1.0/24"),
    ]


def test_value_is_read_from_a_file(given, tmp_path):
    file = tmp_path / "secret"
    file.write_text("from-a-file\n")
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
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL should look like") as refused:
        env.get_email("")
    assert "CRET" not in str(refused.value)


def test_origins_are_validated_and_converted_to_ascii(given):
    given(A="https://www.example.org:8443/, https://*.münchen.example")
    assert env.get_origins("A") == [
        "https://www.example.org:8443",
        "https://*.xn--mnchen-3ya.example",
    ]
    given(A="www.example.org")
    with pytest.raises(ImproperlyConfigured, match=r"^A: 'www\.example\.org' should look like"):
        env.get_origins("A")


def test_sign_up_by_invitation_is_not_yet_supported(given):
    given(SIGN_UP="invited")
    with pytest.raises(ImproperlyConfigured, match="no invitations"):
        env.get_sign_up()
    given(SIGN_UP="closed")
    assert env.get_sign_up() == "closed"


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
        ("ADDRESS=x", "line 1: there is no setting ADDRESS"),
        ("public_url=https://x", "PUBLIC_URL"),
        ("LIMIT_SIGNIN=1/s", "LIMIT_SIGN_IN"),
        ("HOST = x", "line 1 should look like NAME=value"),
        ("S3CRET", "line 1 should look like"),
        ("HOST=a\nHOST=b", "line 2: HOST stands there twice"),
        (b"HOST=\xff", "not text in UTF-8"),
    ],
)
def test_invalid_env_file_is_rejected_with_the_line(dotenv, content, said):
    with pytest.raises(ImproperlyConfigured, match=said) as refused:
        dotenv(content)
    assert "S3CRET" not in str(refused.value)


def test_unreadable_env_file_is_rejected(tmp_path):
    (tmp_path / ".env").mkdir()  # permissions would not stop root
    with pytest.raises(ImproperlyConfigured, match="cannot be read: Is a directory"):
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
    with pytest.raises(ImproperlyConfigured, match=f"has {name}, .* Did you mean {meant}\\?"):
        env.require_known_names({name: "x"})


def test_unrelated_environment_variables_are_ignored():
    """Including those that shells, CI, containers, proxies and other programs set."""
    others = (
        "HOSTNAME HOSTS HOME PATH PWD LANG LC_ALL TERM USER SHELL POST PORTS LOGLEVEL DATADIR VHOST "
        "http_proxy port host debug PGHOST PGPORT REDIS_HOST REDIS_PORT DATABASE_HOST SMTP_HOST MAIL_URL "
        "SECRET SECRETS_KEY_ID DJANGO_DEBUG DJANGO_SECRET_KEY XDG_DATA_DIRS WORKERS WEB_CONCURRENCY "
        "CHATTY_PORT_8000_TCP KUBERNETES_PORT PUBLIC_IP LOGNAME EMAIL DEBUGINFOD_URLS"
    )
    env.require_known_names(dict.fromkeys(others.split(), "x"))
    env.require_known_names(dict.fromkeys(known_settings.NAMES, "x"))


def test_setting_given_as_value_and_file_is_rejected(given, tmp_path):
    given(Y="x", Y_FILE=str(tmp_path / "a"))
    with pytest.raises(ImproperlyConfigured, match="Y and Y_FILE are both set"):
        env.get_str("Y")
    given(Y="")
    with pytest.raises(ImproperlyConfigured, match=r"Y_FILE=.* cannot be read: No such file"):
        env.get_str("Y")


def test_derived_keys_are_stable_and_differ_by_purpose():
    one = env.derive_key("secret", "jwt")
    assert one == env.derive_key("secret", "jwt")
    assert one != env.derive_key("secret", "other")
    assert one != env.derive_key("another", "jwt")
    assert "secret" not in one


def read_by_settings():
    """Return each setting that is read, with its default; None if the default is computed."""
    found = {}
    for path in ("chatty/settings.py", "chatty/conf/env.py"):
        for node in ast.walk(ast.parse((env.BASE_DIR / path).read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.args[0].value
                called = ast.unparse(node.func).rpartition(".")[2]
                if called in {"get", "replace"} or not isinstance(name, str):
                    continue
                if re.fullmatch(r"[A-Z][A-Z_]+[A-Z]", name):
                    given = node.args[1] if len(node.args) > 1 else None
                    found[name] = given.value if isinstance(given, ast.Constant) else None
    return found


def test_settings_list_matches_the_code_and_its_defaults():
    read = read_by_settings()
    limits = {name for name in SETTINGS if name.startswith("LIMIT_")}
    assert {"DATABASE_URL", "SECRET_KEY", "DEBUG"} <= read.keys()
    assert read.keys() | limits | {"PUBLIC_URL"} == SETTINGS.keys()
    for name, default in read.items():
        if default not in (None, ""):
            written = int(default) if isinstance(default, bool) else default
            assert SETTINGS[name].default == f"{written}", name


def test_every_setting_has_a_description():
    for setting in SETTINGS.values():
        assert re.fullmatch(r"[A-Z].{10,70}\.", setting.description), setting
        assert setting.kind in (
            *("text", "url", "secret", "flag", "number", "whole number", "choice", "list", "path"),
            "rate",
        )


def test_env_example_lists_every_setting_once():
    example = (env.BASE_DIR / ".env.example").read_text()
    listed = re.findall(r"^#?([A-Z][A-Z_]+)=(.*)", example, re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(SETTINGS)
    for name, value in listed:
        if SETTINGS[name].kind in {"number", "whole number", "rate", "flag", "choice"}:
            assert value == (SETTINGS[name].default or value), name
