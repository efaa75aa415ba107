"""Slack's pieces of a message, as far as callerid uses them, and the message itself.

Every mrkdwn text is ``verbatim``, so that Slack looks for no links, channels and people in it. What is passed in
is safe already: it comes from :mod:`callerid.alerts.text` or is ours.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from callerid.alerts.links import Link

Block = dict[str, Any]

_LONGEST_HEADER = 150


class Message(NamedTuple):
    """What is sent: the text that a phone and a screen reader show, and the blocks that stand in its place."""

    text: str
    blocks: tuple[Block, ...] = ()
    ids: Mapping[str, str | int] | None = None
    """What tells two copies of one message apart, sent as metadata: keys and numbers of ours alone."""


def size(blocks: Iterable[Block]) -> int:
    """Return how many bytes blocks are."""
    return len(json.dumps(list(blocks), ensure_ascii=False, separators=(",", ":")).encode())


def header(text: str) -> Block:
    """Return a headline. Colons stay colons: no name in it becomes an emoji."""
    return {"type": "header", "text": {"type": "plain_text", "text": text[:_LONGEST_HEADER], "emoji": False}}


def section(text: str) -> Block:
    """Return a paragraph of mrkdwn."""
    return {"type": "section", "text": _mrkdwn(text)}


def fields(texts: Sequence[str]) -> Block:
    """Return up to ten short texts in two columns."""
    return {"type": "section", "fields": [_mrkdwn(text) for text in texts[:10]]}


def context(text: str) -> Block:
    """Return a line of small print."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def buttons(links: Sequence[Link]) -> Block:
    """Return links as buttons."""
    return {"type": "actions", "elements": [_button(link) for link in links]}


def _button(link: Link) -> Block:
    label = {"type": "plain_text", "text": link.label}
    return {"type": "button", "action_id": link.id, "text": label, "url": link.url}


def snippets(titled: Sequence[tuple[str, str]]) -> Block:
    """Return texts to copy, each under a title."""
    elements: list[Block] = []
    for title, text in titled:
        elements.append(
            {"type": "rich_text_section", "elements": [{"type": "text", "text": title, "style": {"bold": True}}]}
        )
        elements.append({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]})
    return {"type": "rich_text", "elements": elements}


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Block:
    """Return a table, its first row the head; ``right`` are the columns of numbers. No cell is empty."""
    return {
        "type": "table",
        "column_settings": [
            {"align": "right"} if column in right else {"is_wrapped": True} for column in range(len(rows[0]))
        ],
        "rows": [[{"type": "raw_text", "text": cell} for cell in row] for row in rows],
    }


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
