"""A week's summary is one message in a channel: made again, it is edited.

The ledger keeps where the message is. It is claimed before it is posted, as an alert is; whoever finds a claim that
ran out posts again and says that it may be a repeat.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from callerid.alerts.clock import Clock
from callerid.alerts.slack import Ambiguous, Answer, PayloadRefused, Posted, Sender, ThreadLost
from callerid.ledger.outbox import CLAIM_SECONDS
from callerid.ledger.rows import COUNTS_KEPT
from callerid.ledger.store import Key, Store
from callerid.ledger.work import Work, write
from callerid.summary.figures import Summary
from callerid.summary.layout import lists, message

_LAST_RUNG = 2
_PACE_SECONDS = 1.0


class Post(Struct):
    """Where a week's summary is, and how far."""

    ts: str | None = None
    channel: str | None = None
    revision: int = 0
    lease: float = 0.0
    doubtful: bool = False
    listed: bool = False
    """Whether its lists are in the thread."""
    pages: int = 0
    """How many pages of them are."""
    page_doubtful: bool = False
    """Whether the next one may be."""

    @staticmethod
    def key(week: str, channel: str) -> Key:
        """Return where it stands."""
        return Key(f"summary {week}", channel or "-")


class NotPostedError(Exception):
    """Slack did not take the summary; it is to be posted again. The message says what Slack answered."""


def post(store: Store, slack: Sender, channel: str, summary: Summary, *, clock: Clock) -> bool:
    """Post a summary, or edit the message that is out. False where another sender is at it.

    Raises:
        NotPostedError: where Slack does not take it.
        UnavailableError: where the ledger does not answer.
    """
    key = Post.key(summary.week.label, channel)
    claimed = _claim(store, key, clock)
    if claimed is None:
        return False
    answer = _say(slack, channel, summary, claimed)
    if isinstance(answer, ThreadLost):
        claimed.ts, claimed.pages, claimed.listed = None, 0, False  # the message is gone, and its thread
        answer = _say(slack, channel, summary, claimed)
    if not isinstance(answer, Posted):
        _keep(store, key, clock, lambda row: _given_back(row, answer))
        raise NotPostedError(f"the summary of {summary.week.label}: Slack answers {answer.error}")
    posted = answer
    _keep(store, key, clock, lambda row: _posted(row, posted))
    if slack.can_edit and posted.ts is not None and not claimed.listed:
        for number, page in enumerate(lists(summary, repeat=claimed.pages if claimed.page_doubtful else None)):
            if number >= claimed.pages:
                clock.pause(_PACE_SECONDS)
                answer = slack.post(posted.channel or "", page, thread=posted.ts)
                _keep(store, key, clock, lambda row, answer=answer: _turned(row, answer))  # type: ignore[misc]
                if not isinstance(answer, Posted):
                    raise NotPostedError(f"the lists of {summary.week.label}: Slack answers {answer.error}")
        _keep(store, key, clock, _listed)
    return True


def _claim(store: Store, key: Key, clock: Clock) -> Post | None:
    def step(work: Work) -> Post | None:
        now = clock.now()
        row = work.get(key, Post) or Post()
        if row.lease > now:
            return None
        row.doubtful = row.doubtful or row.lease > 0
        row.lease, row.revision = now + CLAIM_SECONDS, row.revision + 1
        work.put(key, row, expires=now + COUNTS_KEPT)
        return row

    return write(store, step, pause=clock.pause)


def _say(slack: Sender, channel: str, summary: Summary, row: Post) -> Answer:
    """Send it, plainer each time that Slack refuses it as it stands."""
    answer: Answer = PayloadRefused("nothing was sent")
    for rung in range(_LAST_RUNG + 1):
        text = message(summary, rung=rung, revision=row.revision, repeat=row.doubtful and row.ts is None)
        edits = slack.can_edit and row.ts is not None
        answer = slack.update(row.channel or channel, row.ts or "", text) if edits else slack.post(channel, text)
        if not isinstance(answer, PayloadRefused):
            break
    return answer


def _keep(store: Store, key: Key, clock: Clock, change: Callable[[Post], object]) -> None:
    def step(work: Work) -> None:
        row = work.get(key, Post) or Post()
        change(row)
        work.put(key, row, expires=clock.now() + COUNTS_KEPT)

    write(store, step, pause=clock.pause)


def _posted(row: Post, answer: Posted) -> None:
    if answer.ts != row.ts:
        row.pages, row.listed = 0, False
    row.ts, row.channel, row.lease, row.doubtful = answer.ts or row.ts, answer.channel or row.channel, 0.0, False


def _given_back(row: Post, answer: Answer) -> None:
    row.lease, row.doubtful = 0.0, row.doubtful or isinstance(answer, Ambiguous)


def _turned(row: Post, answer: Answer) -> None:
    row.pages += isinstance(answer, Posted)
    row.page_doubtful = isinstance(answer, Ambiguous)


def _listed(row: Post) -> None:
    row.listed = True
