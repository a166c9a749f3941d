"""Redis with every kind of REDIS_URL: the limiter, the cache and the channel layer can use it."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import shutil
import subprocess

import pytest
import redis.exceptions
from asgiref.sync import async_to_sync
from channels_redis.pubsub import RedisPubSubChannelLayer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured

from chatty.common import redis_clients
from chatty.common.limiter import Bucket, RedisBuckets, parse_rate
from proof.services import free_port, redis_command
from tests.installations import eventually

pytestmark = pytest.mark.servers

PASSWORD = "p@ss/w#rd?"
QUOTED = "p%40ss%2Fw%23rd%3F"


@contextlib.contextmanager
def redis_server(directory, *options, program=None, port=None):
    """A started server; gives its port and process."""
    port = port or free_port()
    command = redis_command(port, str(directory))
    if program:
        command[0] = program
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    try:
        yield port, process
    finally:
        process.kill()
        process.wait()


def answers(url):
    try:
        return redis_clients.connect(url, socket_timeout=2).ping()
    except redis.exceptions.RedisError:
        return False


def certificate(directory):
    """Create a self-signed certificate for 127.0.0.1; return the paths (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chatty test")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "redis.pem", directory / "redis.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@contextlib.contextmanager
def with_password(directory):
    with redis_server(directory, "--requirepass", PASSWORD) as (port, _):
        yield f"redis://:{QUOTED}@127.0.0.1:{port}/1"


@contextlib.contextmanager
def by_socket(directory):
    path = directory / "redis.sock"
    with redis_server(directory, "--unixsocket", str(path), "--requirepass", PASSWORD):
        yield f"unix://:{QUOTED}@{path}?db=1"


def program_with_tls():
    """Return a redis-server with TLS, which the one in the wheel lacks. Skips the test if there is none."""
    program = shutil.which("redis-server")
    told = program and subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    if not told or "libssl" not in told:
        pytest.skip("needs a redis-server with TLS (apt install redis-server)")
    return program


@contextlib.contextmanager
def with_tls(directory):
    cert, key = certificate(directory)
    options = (
        *("--tls-port", str(port := free_port()), "--tls-cert-file", str(cert)),
        *("--tls-key-file", str(key), "--tls-ca-cert-file", str(cert), "--tls-auth-clients", "no"),
    )
    with redis_server(directory, *options, program=program_with_tls()):
        yield f"rediss://127.0.0.1:{port}/1?ssl_ca_certs={cert}"


@contextlib.contextmanager
def sentinel_and_two(directory):
    """Gives (url, the master's process, the replica's port)."""
    secret = ("--requirepass", PASSWORD, "--masterauth", PASSWORD)
    with contextlib.ExitStack() as stack:
        port, master = stack.enter_context(redis_server(directory, *secret))
        replica = ("--replicaof", "127.0.0.1", str(port), "--repl-diskless-sync-delay", "0")
        second, _ = stack.enter_context(redis_server(directory, *secret, *replica))
        config = directory / "sentinel.conf"
        config.write_text(
            f"sentinel monitor mymaster 127.0.0.1 {port} 1\n"
            f'sentinel auth-pass mymaster "{PASSWORD}"\n'
            "sentinel down-after-milliseconds mymaster 500\n"
            "sentinel failover-timeout mymaster 3000\n"
            'requirepass "watch"\n'
        )
        watch = free_port()
        program = redis_command(watch, str(directory))[0]
        command = [program, str(config), "--sentinel", "--port", str(watch), "--bind", "127.0.0.1"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        nobody = free_port()  # the first Sentinel of the list is down
        hosts = f"127.0.0.1:{nobody},127.0.0.1:{watch}"
        url = f"redis+sentinel://:{QUOTED}@{hosts}/mymaster/1?sentinel_password=watch"
        yield url, master, second


@contextlib.contextmanager
def by_sentinel(directory):
    with sentinel_and_two(directory) as (url, _, _):
        yield url


KINDS = {"password": with_password, "socket": by_socket, "tls": with_tls, "sentinel": by_sentinel}


@pytest.fixture(
    params=[
        "password",
        "socket",
        "tls",
        pytest.param("sentinel", marks=pytest.mark.long),
    ]
)
def url(request, tmp_path):
    with KINDS[request.param](tmp_path) as url:
        eventually(lambda: answers(url))
        yield url


def test_limiter_cache_and_channel_layer_reach_redis(url):
    assert redis_clients.fault(url) is None
    buckets = RedisBuckets(url)
    ada = [Bucket("people", b"ada", parse_rate("1/h"))]
    assert buckets.take(ada, 1) == 0
    assert buckets.take(ada, 1) > 0
    assert async_to_sync(buckets.atake)(ada, 1) > 0

    cache: BaseCache = redis_clients.Cache([url], {"KEY_PREFIX": "chatty"})
    cache.set("tea", {"green": 1})
    assert cache.get("tea") == {"green": 1}

    assert async_to_sync(passed_on)(url) == {"type": "hello"}


async def passed_on(url):
    """Return what the channel layer of one process gets from that of another."""
    here, there = (
        RedisPubSubChannelLayer(
            hosts=[redis_clients.layer_host(url, **redis_clients.OPTIONS)], prefix="chatty"
        )
        for _ in range(2)
    )
    channel = await here.new_channel()
    await here.group_add("everybody", channel)
    await there.group_send("everybody", {"type": "hello"})
    try:
        return await here.receive(channel)
    finally:
        await here.flush()
        await there.flush()


def is_master(client):
    try:
        return client.role()[0] == b"master"
    except redis.exceptions.ConnectionError:
        return False  # a promoted replica drops its clients


def test_clients_follow_sentinel_to_the_next_master(tmp_path):
    with sentinel_and_two(tmp_path) as (url, master, second):
        eventually(lambda: answers(url))
        buckets = RedisBuckets(url)
        ada = [Bucket("people", b"ada", parse_rate("1/h"))]
        assert buckets.take(ada, 1) == 0
        # A replica that is not in sync would not be promoted.
        direct = redis_clients.connect(f"redis://:{QUOTED}@127.0.0.1:{second}/1")
        eventually(lambda: direct.info("replication")["master_link_status"] == "up")
        sentinel = redis_clients.connect(
            "redis://:watch@127.0.0.1:" + url.rpartition("/mymaster")[0].rpartition(":")[2]
        )
        eventually(lambda: sentinel.execute_command("SENTINEL", "REPLICAS", "mymaster"))
        master.kill()
        eventually(lambda: is_master(direct), seconds=30)

        def takes():
            try:
                buckets.take(ada, 1)
            except redis.exceptions.RedisError:
                return False
            return True

        eventually(takes, seconds=30)


# --- faults are reported ----------------------------------------------------------------------------


def test_wrong_password_is_reported(tmp_path):
    with redis_server(tmp_path, "--requirepass", PASSWORD) as (port, _):
        eventually(lambda: answers(f"redis://:{QUOTED}@127.0.0.1:{port}"))
        for user in ("", ":S3CRET@", "ada:S3CRET@"):
            sentence, may_pass = redis_clients.fault(f"redis://{user}127.0.0.1:{port}")
            assert "does not accept the password" in sentence
            assert "S3CRET" not in sentence
            assert not may_pass


def test_sentinel_and_replica_are_reported(tmp_path):
    with sentinel_and_two(tmp_path) as (url, _, second):
        eventually(lambda: answers(url))
        port = url.rpartition("/mymaster")[0].rpartition(":")[2]
        sentence, may_pass = redis_clients.fault(f"redis://:watch@127.0.0.1:{port}")
        assert "is a Sentinel" in sentence
        assert not may_pass
        sentence, _ = redis_clients.fault(f"redis://:{QUOTED}@127.0.0.1:{second}")
        assert "is a replica" in sentence
        sentence, _ = redis_clients.fault(url.replace("mymaster", "other"))
        assert "no Sentinel knows the master" in sentence


def test_untrusted_certificate_is_reported(tmp_path):
    with with_tls(tmp_path) as url:
        eventually(lambda: answers(url))
        sentence, may_pass = redis_clients.fault(url.partition("?")[0])
        assert "No secure connection to Redis" in sentence
        assert not may_pass


def test_unreachable_redis_is_reported_as_temporary():
    sentence, may_pass = redis_clients.fault("redis://127.0.0.1:1")
    assert "does not respond" in sentence
    assert "REDIS_URL" in sentence
    assert may_pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:6379", "must look like"),
        ("redis:127.0.0.1", "must look like"),
        ("redis://u:S3#CRET@h", "must look like"),
        ("redis://u:S3/CRET@h", "must look like"),
        ("redis://h:port", "must look like"),
        ("redis://a,b", "several hosts"),
        ("redis://h/name", "database must be a number"),
        ("unix:redis.sock", "must look like"),
        ("redis+sentinel://h:26379", "must name the master"),
        ("redis://h?ssl_ca_cert=/x", r"unknown option ssl_ca_cert\."),
        ("rediss://h?ssl_ca_certs=/nowhere", "can't read ssl_ca_certs=/nowhere"),
    ],
)
def test_invalid_redis_urls_are_rejected(url, said):
    with pytest.raises(ImproperlyConfigured, match=said) as refused:
        redis_clients.target(url)
    assert "CRET" not in str(refused.value)
