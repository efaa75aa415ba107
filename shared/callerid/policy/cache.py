"""Policies that were read and checked before, by their digest.

Reading thousands of entries of YAML takes longer than judging a file, and its result depends on nothing but
the file's content and the code that reads it. So it is paid once per digest: in the user's cache folder, which
``CALLERID_CACHE`` moves. A cache that can't be written is no error. What somebody else wrote there, or could have
written, is not read: it would let in whom it likes under the digest of a policy that does not.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

import msgspec

from callerid.policy.book import Book
from callerid.policy.fault import Fault, PolicyError
from callerid.policy.model import Document

_DECODER = msgspec.msgpack.Decoder(Document)


def load(path: str, folder: Path) -> Book:
    """Return the book of a policy file.

    Raises:
        PolicyError: where the file can't be read, or is no policy.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise PolicyError(path, [Fault(1, 1, f"cannot be read: {error.strerror}")]) from error
    digest = digest_of(text)
    kept = folder / f"policy-{_rules()}-{digest.partition(':')[2]}.msgpack"
    document = _kept(kept)
    if document is None:
        from callerid.policy.load import parse  # noqa: PLC0415  # YAML, only where it must be read

        document = parse(text, path)
        _keep(kept, document)
    return Book(document, digest)


def _rules() -> str:
    """Return the digest of the code that reads and checks policies: what it accepts can change between versions."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def digest_of(text: bytes) -> str:
    """Return the digest by which judgements name the policy that made them."""
    return f"sha256:{hashlib.sha256(text).hexdigest()[:16]}"


def folder(environment: dict[str, str]) -> Path:
    """Return the cache's folder under an environment: ``CALLERID_CACHE``, else the user's cache folder.

    A container's user may have neither a home nor a name: then nothing is kept, least of all where others can write.
    """
    if environment.get("CALLERID_CACHE"):
        return Path(environment["CALLERID_CACHE"])
    try:
        return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callerid"
    except RuntimeError:
        return Path(os.devnull) / "callerid"


def _kept(path: Path) -> Document | None:
    try:
        with path.open("rb") as file:
            return _DECODER.decode(file.read()) if _is_ours(os.fstat(file.fileno())) else None
    except (OSError, msgspec.MsgspecError):
        return None


def _is_ours(file: os.stat_result) -> bool:
    return file.st_uid == os.geteuid() and not file.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _keep(path: Path, document: Document) -> None:
    import tempfile  # noqa: PLC0415  # only where something is written

    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(msgspec.msgpack.encode(document))
        os.replace(file.name, path)  # noqa: PTH105  # atomic, for two scans that start at once
