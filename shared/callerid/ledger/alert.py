"""The rows of what is told to people: alerts, how often each was heard, the outbox, the channels.

A row without ``expires`` stays: what is pending is never forgotten. Times are seconds since 1970, but those of
records, which are RFC 3339 in UTC as everywhere.
"""

from __future__ import annotations

from msgspec import Struct, field

from callerid.judgement import Line
from callerid.ledger.rows import COUNTS_KEPT, digest
from callerid.ledger.store import Key
from callerid.ledger.traced import Traced
from callerid.trace.chain import Drift


class Advice(Struct):
    """What a person needs beside the finding itself: the book's nearest entry, and what to change.

    Texts that come from a record are the log's own, not made safe yet.
    """

    nearest: str | None = None
    """The name of the caller-book entry that comes closest."""
    field: str | None = None
    """What differs: ``subject``, ``target``, ``provider``, ``audience``, ``expires``, ``session_name``, …"""
    listed: str | None = None
    """What the book has there."""
    shown: str | None = None
    """What the record has there."""
    entry: str | None = None
    """YAML to paste into the policy where the access is expected after all."""
    refuse: str | None = None
    """What the cloud needs to refuse it: a trust-policy statement, a binding, a condition."""


class Told(Struct):
    """That somebody settled a finding: who, when, and what they said."""

    by: str
    at: float
    note: str = ""


class Alert(Struct):
    """One finding, or a storm of new ones, as one message: what it says and how far its delivery is."""

    key: str
    window: int
    """Counts up each time that the finding comes back after a quiet spell."""
    opened: float
    heard: float
    """When the latest event was received, to five minutes; a quiet hour after it closes the window."""
    line: Line
    """The first finding of the window."""
    rule: str
    who: str
    origin: str
    severity: str
    """Of the gravest event yet; it never falls within a window."""
    advice: Advice = field(default_factory=Advice)
    channel: str = ""
    """Where the policy routes it; empty for the default channel."""
    mention: str = ""
    """A Slack user group's id that the policy names for it."""
    began: tuple[Traced, ...] = ()
    """Whom the sessions of this window's events began with, where that is certain; a few, not all."""
    drift: Drift | None = None
    """For a finding that no record shows by itself: what the first such session was issued with, and what it shows."""
    denied_before: int = 0
    """For an allowed access: how many denied attempts of the same finding came first."""
    before: int = 0
    """Events of all the windows before."""
    previous: int = 0
    """Events of the last window before."""
    announce: tuple[str, ...] = ()
    """Escalations that are still to be told in the thread, as whole sentences of our own."""
    raised: tuple[str, ...] = ()
    """What was already a reason to announce it again, so that each is one only once."""
    unsure: tuple[str, ...] = ()
    """Replies and webhooks' later messages that may be out although no answer came."""
    announced: float = 0.0
    """When it was last announced to the channel."""
    reopened: float = 0.0
    """Since when the message is open again that said *explained*: an edit alone would be seen by nobody."""
    settled: Told | None = None

    state: str = "pending"
    """``pending``, ``sending`` (claimed until ``lease``), ``sent``, ``withdrawn`` (before it was posted, the
    other copy of each access named a known caller), ``in-storm`` (told in ``storm``)."""
    lease: float = 0.0
    attempt: int = 0
    """Attempts to post it, this window."""
    doubtful: int = 0
    """The last attempt that may have been posted although no answer came; 0 for none. Every edit says so too: the
    other copy, if there is one, keeps the count that it has."""
    rung: int = 0
    """How plain the message has become: 0 blocks, 1 simple blocks, 2 text."""
    ts: str | None = None
    """Slack's timestamp of the message, which its edits and its thread need."""
    posted_to: str | None = None
    """The channel's id as Slack answered it."""
    shown: int = 0
    """The count in the message as it stands."""
    shown_withdrawn: int = 0
    shown_began: int = 0
    shown_settled: bool = False
    edited: float = 0.0
    error: str | None = None
    """What Slack answered last, where it was no success."""
    storm: str | None = None
    members: tuple[str, ...] = ()
    """Of a storm: the keys of the findings that it tells."""
    gone: int = 0
    """Of a storm: events of findings that came back after it was over, and are told anew."""
    gone_withdrawn: int = 0
    listed: int = 0
    """How many members the thread already lists."""

    @property
    def expires(self) -> float | None:
        """Return when the row may go: never as long as it is to be posted."""
        return None if self.state in ("pending", "sending") else self.heard + COUNTS_KEPT

    @property
    def told_in(self) -> str:
        """Return the key of the message that tells it: its own, or its storm's."""
        return self.storm if self.state == "in-storm" and self.storm else self.key

    @staticmethod
    def row(key: str) -> Key:
        """Return where it stands."""
        return Key("alert", key)


class Tally(Struct):
    """How often a finding came in a window; one of several shards that add up."""

    window: int
    count: int = 0
    withdrawn: int = 0
    """Of these, how many the other account's copy of the call named later."""
    traced: int = 0
    """Of these, how many were made in sessions of which it is known whom they began with."""
    first: str | None = None
    last: str | None = None
    sessions: tuple[str, ...] = ()
    """A few session names, for who reads the message; not all."""
    regions: tuple[str, ...] = ()

    @staticmethod
    def key(alert: str, shard: int) -> Key:
        """Return where it stands."""
        return Key(f"tally {alert} {shard}", "-")


class Due(Struct):
    """That an alert is to be looked after: the outbox. Such a row never expires; the sender takes it away.

    It stays a while after the latest event, so that a storm writes it once and not at every event.
    """

    since: float
    at: float
    """Not before."""
    until: float
    """The sender may take it away afterwards. Who relies on it longer than that must write it anew."""
    channel: str
    severity: str
    posted: bool = False
    """Whether the message is out, so that only its count can be behind."""

    @staticmethod
    def key(alert: str) -> Key:
        """Return where it stands."""
        return Key("outbox", alert)


class Channel(Struct):
    """What the sender knows of one channel. Whoever holds the lease sends to it alone."""

    name: str
    holder: str = ""
    lease: float = 0.0
    not_before: float = 0.0
    """From Slack's Retry-After."""
    posts: tuple[float, ...] = ()
    """When new findings were lately posted."""
    storm: str | None = None
    storm_heard: float = 0.0
    broken: str | None = None
    """The error that somebody must mend, as long as it lasts."""
    broken_since: float = 0.0

    @staticmethod
    def key(name: str) -> Key:
        """Return where it stands."""
        return Key("channel", name or "-")


class Trouble(Struct):
    """Something wrong with the monitor itself, which is told once, another way."""

    what: str
    since: float
    text: str

    @staticmethod
    def key(what: str) -> Key:
        """Return where it stands."""
        return Key("trouble", digest(what))
