"""What both functions do, whichever cloud calls: receive and record, deliver, watch over themselves.

The entry points make the parts (store, Slack, second way) and answer their cloud; everything between is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from callerid.alerts.clock import Clock
from callerid.judgement import Severity
from callerid.ledger.store import Store
from callerid.ledger.url import connect
from callerid.monitor import Delivery, Monitor, Received
from callerid.policy.remote import Fetch
from callerid.policy.standing import Standing

if TYPE_CHECKING:  # what sends is loaded when something is to be sent
    from callerid.alerts.deliver import Delivered
    from callerid.alerts.second import SecondWay
    from callerid.alerts.slack import Sender


class Settings(Struct, frozen=True):
    """A function's settings, as its environment has them."""

    policy: str
    ledger: str
    second_way: str = "stderr"
    channel: str = ""
    timezone: str = "UTC"
    portal: str = ""
    runbooks: str = ""
    sessions: str = "off"
    """``on`` keeps sessions: alerts name whom one began with, and ``callerid trace --ledger`` finds them."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Return the settings that ``CALLERID_…`` variables give.

        Raises:
            KeyError: for a variable that must be there and is not.
        """
        given = {
            name: environment[f"CALLERID_{name.upper()}"]
            for name in cls.__struct_fields__
            if environment.get(f"CALLERID_{name.upper()}")
        }
        for name in ("policy", "ledger"):
            if name not in given:
                raise KeyError(f"CALLERID_{name.upper()} is not set")
        return cls(**given)


class Service:
    """One function's work. ``slack`` makes the sender when something is first to be sent."""

    def __init__(self, settings: Settings, fetch: Fetch, slack: Callable[[], Sender], clock: Clock) -> None:
        self._settings = settings
        self._slack = slack
        self._clock = clock
        self._standing = Standing(fetch, self.store, now=clock.now)
        self._monitor: tuple[str, Monitor] | None = None

    @cached_property
    def store(self) -> Store:
        """Return the ledger's store."""
        return connect(self._settings.ledger)

    @cached_property
    def _second(self) -> SecondWay:
        from callerid.alerts.second import second_way  # noqa: PLC0415  # what receives tells nobody

        return second_way(self._settings.second_way)

    @property
    def policy_trouble(self) -> str | None:
        """Return what is wrong with the newest policy, None where it is in force."""
        return self._standing.current().trouble

    def receive(self, deliveries: Iterable[Delivery], *, marker: str | None = None) -> Received:
        """Judge and record what deliveries hold; see :meth:`callerid.monitor.Monitor.receive`.

        Raises:
            NoPolicyError: where there is no good policy at all.
            UnavailableError: where the ledger does not answer: deliver again.
        """
        book, sessions = self._standing.current().book, self._settings.sessions == "on"
        if self._monitor is None or self._monitor[0] != book.digest:
            self._monitor = (book.digest, Monitor(book, self.store, now=self._clock.now, sessions=sessions))
        return self._monitor[1].receive(deliveries, marker=marker)

    def deliver(self, *, budget_seconds: float) -> Delivered:
        """Send what is due; see :class:`callerid.alerts.deliver.Deliverer`."""
        from callerid.alerts.deliver import Deliverer  # noqa: PLC0415  # slack-sdk: only where something is sent
        from callerid.alerts.links import Look  # noqa: PLC0415

        look = Look(portal=self._settings.portal, runbooks=self._settings.runbooks)
        sender = Deliverer(self.store, self._slack, self._settings.channel, clock=self._clock, look=look)
        return sender.deliver(budget_seconds=budget_seconds)

    def summary(self) -> str:
        """Post the summary of the last whole week, or edit it; return which week it is.

        Raises:
            NotPostedError: where Slack does not take it, or another sender is at it, who may have died: call again.
        """
        from callerid.summary.figures import summarize  # noqa: PLC0415  # once a week
        from callerid.summary.post import NotPostedError, post  # noqa: PLC0415
        from callerid.summary.week import last_whole_week  # noqa: PLC0415

        book = self._standing.current().book
        week = last_whole_week(self._clock.now(), self._settings.timezone)
        rule = book.channel(None, None, Severity.INFORMATIONAL)
        channel = self._settings.channel or (rule.channel if rule else "")
        if not post(self.store, self._slack(), channel, summarize(self.store, week, book), clock=self._clock):
            raise NotPostedError(f"the summary of {week.label} is claimed by another sender")
        return week.label

    def watch(self) -> list[str]:
        """Tell another way what is wrong with the monitor itself; return what is wrong now."""
        from callerid.alerts.watch import watch  # noqa: PLC0415

        return watch(
            self.store,
            self._second,
            now=self._clock.now(),
            pause=self._clock.pause,
            policy=self.policy_trouble,
        )
