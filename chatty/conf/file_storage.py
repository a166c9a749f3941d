"""Where files are stored: the entry "files" of STORAGES."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.core.exceptions import ImproperlyConfigured

from chatty.conf import env

BUCKET = "storages.backends.s3.S3Storage"
_OPTIONS = (
    "endpoint_url",
    "region_name",
    "addressing_style",
    "signature_version",
    "default_acl",
    "verify",
)
_MEMORY = 4 * 1024 * 1024  # bytes of an object that are kept in memory; more are on the disk
# A service that doesn't answer must not hold requests: people try again.
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 3, 10, 2


def get_storage(data_dir: Path, *, served_by_proxy: bool) -> dict[str, Any]:
    """`served_by_proxy`: the group can read the files."""
    url = env.get_str("FILES_URL")
    if url:
        return {"BACKEND": BUCKET, "OPTIONS": _s3_options(url)}
    return {
        "BACKEND": "conversations.attachments.storage.LocalStorage",
        "OPTIONS": {
            "location": data_dir / "files",
            "file_permissions_mode": 0o640 if served_by_proxy else 0o600,
            "directory_permissions_mode": 0o750 if served_by_proxy else 0o700,
        },
    }


def _s3_options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    unknown = sorted(set(options).difference(_OPTIONS))
    if parts.scheme != "s3" or not parts.hostname or unknown:
        raise ImproperlyConfigured(
            "FILES_URL must look like s3://bucket/folder?endpoint_url=https://s3.example.org. "
            f"Its options are {', '.join(_OPTIONS)}. Keys are set with AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        )
    return {
        "bucket_name": parts.netloc,
        "location": parts.path.strip("/"),
        "file_overwrite": True,
        "querystring_auth": True,
        "max_memory_size": _MEMORY,
        "client_config": _client_config(
            options.pop("addressing_style", None), options.pop("signature_version", None)
        ),
        **options,
    }


def _client_config(addressing_style: str | None, signature_version: str | None) -> Any:
    try:
        from botocore.config import Config
    except ImportError:
        raise ImproperlyConfigured(
            "FILES_URL needs a package: pip install 'django-storages[s3]==1.14.6'"
        ) from None
    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        s3={"addressing_style": addressing_style},
        signature_version=signature_version,
    )
