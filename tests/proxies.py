"""nginx and Caddy as shipped in deploy/, on their own ports and without root.

Only addresses, paths and the certificate are changed in the shipped files. Each replacement must find its
text.
"""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import re
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proof.services import free_port
from tests.services import wait_for_port

ROOT = Path(__file__).resolve().parent.parent
NAME = "chat.example.org"
PROXIES = {"nginx": ROOT / "deploy/nginx.conf", "caddy": ROOT / "deploy/Caddyfile"}

_NGINX_MAIN = """
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/site.conf;
}}
"""


def path_of(program: str) -> str | None:
    return shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin")


def replaced(text: str, old: str, new: str) -> str:
    assert re.search(old, text, re.MULTILINE), f"the shipped file does not contain {old!r}"
    return re.sub(old, lambda _: new, text, flags=re.MULTILINE)


class Proxy:
    """One running proxy, at https://localhost:<port>."""

    def __init__(self, program: str, home: Path, chatties: Sequence[int], site: str = "") -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.program = program
        self.home = home
        self.port = free_port()
        self.certificate = make_certificate(home)
        site = site or PROXIES[program].read_text()
        render = {"nginx": self._nginx, "caddy": self._caddy}[program]
        self._command = render(site, chatties)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=30, context=self.context()
        )

    def start(self) -> None:
        with (self.home / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env={"XDG_DATA_HOME": str(self.home), "HOME": str(self.home)},
            )
        try:
            wait_for_port(self.port, seconds=10)
        except TimeoutError:
            raise AssertionError((self.home / "output.log").read_text()) from None

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
            self._process = None

    def access_log(self) -> str:
        return (self.home / "access.log").read_text()

    def _nginx(self, site: str, chatties: Sequence[int]) -> list[str]:
        site = replaced(site, r"^\s*listen \[::\]:.*\n", "")
        site = replaced(site, r"listen 80;", f"listen 127.0.0.1:{free_port()};")
        site = replaced(site, r"listen 443 ", f"listen 127.0.0.1:{self.port} ")
        site = replaced(site, re.escape(NAME), "localhost")
        site = replaced(site, r"ssl_certificate .*;", f"ssl_certificate {self.certificate};")
        key = self.certificate.with_suffix(".key")
        site = replaced(site, r"ssl_certificate_key .*;", f"ssl_certificate_key {key};")
        site = replaced(site, r"/var/log/nginx/", f"{self.home}/")
        line = re.search(r"^ *server 127\.0\.0\.1:8000(.*);$", site, re.MULTILINE)
        assert line
        site = replaced(site, r"^ *#?server 127\.0\.0\.1:8001.*;\n", "")
        servers = "\n".join(f"    server 127.0.0.1:{port}{line[1]};" for port in chatties)
        site = replaced(site, re.escape(line[0]), servers)
        (self.home / "site.conf").write_text(site)
        main = self.home / "nginx.conf"
        main.write_text(_NGINX_MAIN.format(home=self.home))
        return [str(path_of("nginx")), "-c", str(main), "-e", str(self.home / "error.log")]

    def _caddy(self, site: str, chatties: Sequence[int]) -> list[str]:
        key = self.certificate.with_suffix(".key")
        site = replaced(
            site,
            rf"^{re.escape(NAME)} \{{",
            f"{self.url} {{\n\ttls {self.certificate} {key}",
        )
        addresses = " ".join(f"127.0.0.1:{port}" for port in chatties)
        site = replaced(
            site, r"reverse_proxy 127\.0\.0\.1:8000 \{", f"reverse_proxy {addresses} {{"
        )
        options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
        main = self.home / "Caddyfile"
        main.write_text(options + site)
        return [str(path_of("caddy")), "run", "--config", str(main), "--adapter", "caddyfile"]


@contextmanager
def proxy(program: str, home: Path, chatties: Sequence[int]) -> Iterator[Proxy]:
    made = Proxy(program, home, chatties)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def make_certificate(home: Path) -> Path:
    """Create a self-signed certificate for localhost; its key is beside it as .key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = home / "localhost.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
