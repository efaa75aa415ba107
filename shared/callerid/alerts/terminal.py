"""A message as text, for a terminal: what ``--dry-run`` prints in place of sending it.

The result is plain: to be printed as it is, never as markup of rich or of anybody else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from callerid.alerts.blocks import Block, Message
from callerid.alerts.text import visible_line

_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_GROUP = re.compile(r"<!subteam\^(S[A-Z0-9]+)>")
_INDENT = "    "


def render(message: Message) -> str:
    """Return a message as lines of text, as a reader of the channel would see it."""
    if not message.blocks:
        return _printable(_read(message.text))
    return "\n\n".join(_printable("\n".join(_lines(block))) for block in message.blocks)


def _printable(text: str) -> str:
    """Return lines without any sign that steers a terminal, whatever they are made of."""
    return "\n".join(visible_line(line).rstrip() for line in text.split("\n"))


def _read(mrkdwn: str) -> str:
    """Return mrkdwn as Slack shows it. Code keeps its backticks, so that a name stays apart from our words."""
    parts = mrkdwn.split("`")
    parts[::2] = [_GROUP.sub(r"@\1", _DATE.sub(r"\1", part)).replace("*", "") for part in parts[::2]]
    return html.unescape("`".join(parts))


def _lines(block: Block) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield block["text"]["text"]
        case "section" if "fields" in block:
            yield from _facts([_read(field["text"]) for field in block["fields"]])
        case "section":
            yield _read(block["text"]["text"])
        case "context":
            yield _read(block["elements"][0]["text"])
        case "actions":
            yield from (f"{button['text']['text']}: {button['url']}" for button in block["elements"])
        case "rich_text":
            yield from _snippets(block)
        case "table":
            yield from _rows([[cell["text"] for cell in row] for row in block["rows"]])


def _facts(facts: list[str]) -> Iterator[str]:
    """Yield label and value beside each other."""
    pairs = [fact.split("\n", 1) for fact in facts]
    width = max(len(label) for label, _ in pairs)
    for label, value in pairs:
        yield f"{label:{width}}  {', '.join(value.split(chr(10)))}"


def _snippets(block: Block) -> Iterator[str]:
    for element in block["elements"]:
        text = element["elements"][0]["text"]
        is_code = element["type"] == "rich_text_preformatted"
        yield from (f"{_INDENT}{line}" for line in text.split("\n")) if is_code else (text,)


def _rows(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
