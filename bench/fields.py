"""The changing parts of a record, made when a template asks for them and the same throughout one record."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

_WORDS = ("orders", "billing", "events", "catalog", "search", "ledger", "media", "reports", "users", "config")
_STAGES = ("prod", "staging", "dev")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAME_COUNT = 240


class Fields(dict[str, object]):
    """A mapping for ``TEMPLATE % fields``; what it lacks is drawn once and kept."""

    def __init__(self, rng: random.Random, **given: object) -> None:
        super().__init__(given)
        self._rng = rng

    def __missing__(self, key: str) -> object:
        value = self[key] = _MAKERS[key](self._rng)
        return value


def uuid(rng: random.Random) -> str:
    """Return an id as AWS and Google write it."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def opaque(rng: random.Random, count: int) -> str:
    """Return the base64 of so many random bytes: tokens, ciphertexts, encoded messages."""
    return base64.b64encode(rng.randbytes(count)).decode()


def upper_id(rng: random.Random, count: int) -> str:
    """Return an id of capitals and digits, as IAM writes them."""
    return base64.b32encode(rng.randbytes(count))[:count].decode()


def lower_id(rng: random.Random, count: int) -> str:
    """Return an id of small letters and digits."""
    return "".join(rng.choices(_ALPHABET, k=count))


def address(rng: random.Random) -> str:
    """Return an address of a private network or of one kept for documentation."""
    if rng.random() < 0.7:
        return f"10.{rng.randrange(16)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    return f"203.0.113.{rng.randrange(1, 255)}"


def _names() -> tuple[str, ...]:
    rng = random.Random("names")
    return tuple(
        f"acme-{rng.choice(_WORDS)}-{rng.choice(_STAGES)}-{rng.getrandbits(20):05x}" for _ in range(_NAME_COUNT)
    )


def _keys() -> tuple[str, ...]:
    rng = random.Random("keys")
    return tuple(uuid(rng) for _ in range(40))


NAMES, _KEYS = _names(), _keys()

_MAKERS: dict[str, Callable[[random.Random], object]] = {
    "name": lambda rng: rng.choice(NAMES),
    "other": lambda rng: rng.choice(NAMES),
    "key": lambda rng: rng.choice(_KEYS),
    "hex": lambda rng: f"{rng.getrandbits(68):017x}",
    "hex2": lambda rng: f"{rng.getrandbits(68):017x}",
    "uuid": uuid,
    "uuid2": uuid,
    "id2": lambda rng: opaque(rng, 57),
    "blob": lambda rng: opaque(rng, 186),
    "number": lambda rng: rng.randrange(100, 90_000),
    "big": lambda rng: rng.randrange(10**9, 10**10),
    "ip": address,
    "hash": lambda rng: opaque(rng, 16),
}
