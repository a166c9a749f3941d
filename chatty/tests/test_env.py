import ast
import ipaddress
import re

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from chatty import env
from chatty.postgres import WatchedConnection


@pytest.fixture
def given(monkeypatch):
    """given(NAME="value"): the environment, for one test."""

    def given(**values):
        for name, value in values.items():
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
    ],
)
def test_the_public_address_is_what_browsers_call_the_origin(given, value, origin, host):
    given(PUBLIC_URL=value)
    address = env.public_address()
    assert (address.origin, address.host) == (origin, host)
    assert address.socket_origin == origin.replace("http", "ws", 1)


@pytest.mark.parametrize(
    "value",
    ["chat.example.org", "ftp://x", "https://", "https://x/path", "https://u@x", "https://x:port"],
)
def test_a_public_address_that_is_none_is_refused_with_a_sentence(given, value):
    given(PUBLIC_URL=value)
    with pytest.raises(ImproperlyConfigured, match="should look like"):
        env.public_address()


def test_values_that_make_no_sense_are_refused_by_name(given):
    given(A="maybe", B="many", C="1.5", D="blue", E="10.0.0.0/99", F="99")
    for call in (
        lambda: env.flag("A"),
        lambda: env.number("B", 1),
        lambda: env.whole("C", 1),
        lambda: env.choice("D", ("red", "green")),
        lambda: env.networks("E"),
        lambda: env.whole("F", 1, most=10),
    ):
        with pytest.raises(ImproperlyConfigured, match=r"^[A-F]"):
            call()


def test_an_empty_value_is_like_none(given):
    given(A="", B=" ")
    assert env.flag("A", default=True) is True
    assert env.whole("B", 7) == 7
    assert env.choice("A", ("red", "green")) == "red"
    assert env.networks("B") == []


def test_networks_are_read_with_commas_and_blanks(given):
    given(A="10.0.0.1, fd00::/8 192.168.1.7/24")
    assert env.networks("A") == [
        ipaddress.ip_network("10.0.0.1/32"),
        ipaddress.ip_network("fd00::/8"),
        ipaddress.ip_network("192.168.1.0/24"),
    ]


def test_a_value_may_stand_in_a_file(given, tmp_path):
    file = tmp_path / "secret"
    file.write_text("from-a-file\n")
    given(A_FILE=str(file))
    assert env.text("A") == "from-a-file"


def test_postgresql_gets_a_pool_that_is_checked(given, tmp_path):
    given(DATABASE_URL="postgres://chatty:pass@db.example.org:5433/chat", DATABASE_POOL="7")
    config = env.database(tmp_path)
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
    assert env.database(tmp_path)["OPTIONS"]["tcp_user_timeout"] in (3000, "3000")
    assert (config["CONN_MAX_AGE"], config["CONN_HEALTH_CHECKS"]) == (0, True)


def test_nothing_given_means_a_file_in_the_data_directory(given, tmp_path):
    given(DATABASE_URL="")
    config = env.database(tmp_path)
    assert config["ENGINE"] == "chatty.sqlite"
    assert config["NAME"] == tmp_path / "chatty.db"


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://:memory:"])
def test_databases_chatty_cannot_use_are_refused(given, tmp_path, url):
    given(DATABASE_URL=url)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        env.database(tmp_path)


def test_keys_for_different_purposes_are_different_and_lasting():
    one = env.derived_key("secret", "jwt")
    assert one == env.derived_key("secret", "jwt")
    assert one != env.derived_key("secret", "other")
    assert one != env.derived_key("another", "jwt")
    assert "secret" not in one


def read_by_settings():
    """Names of all variables the settings read."""
    names = {f"LIMIT_{name.upper()}" for name in settings.LIMITS}
    for path in ("chatty/settings.py", "chatty/env.py"):
        for node in ast.walk(ast.parse((env.BASE_DIR / path).read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.args[0].value
                called = ast.unparse(node.func).rpartition(".")[2]
                if (
                    called != "get"
                    and isinstance(name, str)
                    and re.fullmatch(r"[A-Z][A-Z_]+", name)
                ):
                    names.add(name)
    return names


def test_the_example_lists_every_variable_once_and_no_other():
    example = (env.BASE_DIR / ".env.example").read_text()
    listed = re.findall(r"^#?([A-Z][A-Z_]+)=", example, re.MULTILINE)
    assert {"DATABASE_URL", "SECRET_KEY", "LIMIT_SIGN_IN", "DEBUG"} <= read_by_settings()
    assert sorted(listed) == sorted(read_by_settings() | {"PUBLIC_URL"})
