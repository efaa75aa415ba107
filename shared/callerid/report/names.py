"""Names of a log as a page shows them: every sign visible, as short as a name stays one."""

from __future__ import annotations

import re
from typing import NamedTuple

from callerid.access import Cloud
from callerid.alerts.text import visible
from callerid.names.short import cut
from callerid.names.short import short as short_name

NAME = 120
"""Characters of a name; of a longer one the middle goes, since both ends tell names apart."""
WHOLE = 400
"""Characters where the whole name is wanted."""
NOBODY = "(nobody named)"
_CLOUDS = {Cloud.AWS.value: "AWS", Cloud.GCP.value: "Google Cloud"}


class Name(NamedTuple):
    """A name in two parts: what it is called, and where it belongs."""

    text: str
    place: str = ""


def whole(text: str | None) -> str:
    """Return a text from a log with every sign visible; empty where there is none."""
    return cut(visible(text or ""), WHOLE)


def short(text: str) -> Name:
    """Return a name in short: ``role/NAME`` and its account, a pool, a service account, or as it is."""
    found = short_name(text)
    return Name(_line(found.name), _line(found.account))


def who(text: str) -> Name:
    """Return who it was; a subject of twelve digits is no account here."""
    if not text:
        return Name(NOBODY)
    return Name(text) if re.fullmatch(r"[0-9]{12}", text) else short(text)


def cloud(word: str) -> str:
    """Return what a cloud is called."""
    return _CLOUDS.get(word, _line(word) or "neither cloud")


def _line(text: str) -> str:
    return cut(visible(text), NAME)
