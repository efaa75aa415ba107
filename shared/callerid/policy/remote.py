"""Where a function's policy lies, and how its text is fetched. A cloud's client is made once, when first needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

Fetch = Callable[[], bytes]
_VERSION = "projects/PROJECT/secrets/NAME/versions/VERSION"
FORMS = f"package:FILE, s3://BUCKET/KEY, ssm:NAME, gs://BUCKET/OBJECT or secret:{_VERSION}"
_SECRET = re.compile(r"secret:(projects/[^/]+/secrets/[^/]+/versions/[^/]+)")
_OBJECT = re.compile(r"(s3|gs)://([^/]+)/(.+)")


class PolicySettingError(Exception):
    """A setting that names no place for a policy; the message says what was expected."""


def fetcher(setting: str, package: Path) -> Fetch:
    """Return what fetches the text of the policy that a setting names; ``package`` is the function's own folder.

    What the returned function raises means that the policy can't be had now, and not that it is wrong.

    Raises:
        PolicySettingError: for any other setting.
    """
    kind, _, name = setting.partition(":")
    found = _OBJECT.fullmatch(setting)
    if kind == "package" and name:
        return (package / name).read_bytes
    if kind == "ssm" and name:
        return _parameter(name)
    if found:
        return _s3(found[2], found[3]) if found[1] == "s3" else _gcs(found[2], found[3])
    if _SECRET.fullmatch(setting):
        return _secret(name)
    raise PolicySettingError(f"CALLERID_POLICY: expected {FORMS}; got {setting!r}")


def _s3(bucket: str, key: str) -> Fetch:
    from botocore.session import get_session  # noqa: PLC0415  # each cloud's client only in that cloud

    client = get_session().create_client("s3")
    return lambda: bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())


def _parameter(name: str) -> Fetch:
    from botocore.session import get_session  # noqa: PLC0415

    client = get_session().create_client("ssm")
    return lambda: str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]).encode()


def _gcs(bucket: str, name: str) -> Fetch:
    """Return what reads an object: https://cloud.google.com/storage/docs/json_api/v1/objects/get."""
    from callerid.sources import google  # noqa: PLC0415

    return lambda: google.object_stream(bucket, name).read()


def _secret(version: str) -> Fetch:
    """Return what reads a secret: https://cloud.google.com/secret-manager/docs/reference/rest."""
    from callerid.sources import google  # noqa: PLC0415

    return lambda: google.secret(version)
