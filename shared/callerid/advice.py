"""What a person needs beside a finding: the nearest entry of the book, an entry to paste, what would have refused it.

Made once for each new alert, from the judgement and the policy alone. What a record holds stays as the log has
it, in double quotes of YAML or JSON wherever it is to be pasted; whoever shows it makes it safe.
"""

from __future__ import annotations

import json
from typing import Any

from callerid.access import Cloud, by_originator
from callerid.differs import differs
from callerid.entry import ANY_DAY, entry
from callerid.finding import rule
from callerid.judge import judge
from callerid.judgement import Judgement, Verdict
from callerid.ledger.alert import Advice
from callerid.names.short import cut
from callerid.nearest import Difference, nearest
from callerid.policy.book import Book
from callerid.refusal import aws, gcp

_LONGEST_NAME = 300
"""Characters of a name, of which both ends are kept: either can be what differs."""
_LONGEST_REFUSAL = 900
"""Characters of a policy's lines. Cut they would be another policy, so longer ones are not shown."""
_DAYS = {"caller-expired": "9999-12-31", "time-missing": None}
"""The day that an entry is held to where the reason is its expiry: by then every one that can has expired."""


def advise(judgement: Judgement, book: Book) -> Advice:
    """Return what to know and to do about a finding; what there is no good answer to is None."""
    code = rule(judgement)
    parts = _parts(judgement, code, book)
    part = parts[0] if parts else judgement
    difference = (_difference(part, code, book) if parts else None) or Difference("")
    return Advice(
        nearest=_cut(difference.caller) or None,
        field=difference.field,
        listed=_cut(difference.listed),
        shown=_cut(difference.shown),
        entry=entry(parts, code, book) if judgement.verdict is Verdict.UNEXPECTED else None,
        refuse=_refuse(part, code, book),
    )


def _parts(judgement: Judgement, code: str, book: Book) -> list[Judgement]:
    """Judge each originator of an access for itself, and return those that the reason is about."""
    alone = [judge(one, book, _DAYS.get(code, ANY_DAY)) for one in by_originator(judgement.access)]
    return [part for part in alone if code in part.reasons]


def _difference(part: Judgement, code: str, book: Book) -> Difference | None:
    caller = book.caller(part.caller.name) if part.caller else None
    if caller is not None:
        return differs(part, code, caller, book)
    return nearest(part, book) if code.endswith("-unlisted") or code == "pod-token-off-node" else None


def _cut(text: str | None) -> str | None:
    return cut(text, _LONGEST_NAME) if text is not None else None


def _refuse(part: Judgement, code: str, book: Book) -> str | None:
    """Return the lines of the cloud's own policy, wide where there is room for it, else narrow."""
    found = (aws if part.access.cloud is Cloud.AWS else gcp).refusal(part, code, book)
    if found is None:
        return None
    is_text = isinstance(found.policy, str)
    for text in (str(found.policy),) if is_text else (_json(found.policy), json.dumps(found.policy)):
        whole = f"{found.where}\n{text}".replace("`", r"\u0060")
        if len(whole) <= _LONGEST_REFUSAL and not _has_variable(text):
            return whole
    return None


def _json(value: Any, column: int = 0) -> str:
    """Return JSON, each part on one line where there is room for it."""
    text = json.dumps(value)
    if not isinstance(value, (dict, list)) or column + len(text) <= _WIDTH:
        return text
    keys = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    held = value.values() if isinstance(value, dict) else value
    inner = [key + _json(part, column + 1 + len(key)) for key, part in zip(keys, held, strict=True)]
    left, right = "{}" if isinstance(value, dict) else "[]"
    return left + f",\n{' ' * (column + 1)}".join(inner) + right


_WIDTH = 76
"""Characters of a line that a message shows without breaking it."""


def _has_variable(text: str) -> bool:
    """Tell text in which IAM would put something for ``${…}``, but for the one variable that is meant."""
    return "${" in text.replace("${aws:username}", "")
