"""A Slack, a clock and a second way that do as they are told."""

from callerid.alerts.blocks import Message
from callerid.alerts.slack import Posted
from tests.ledger.memory import CrashError


class FakeClock:
    """Time that passes only where somebody waits."""

    def __init__(self, now: float) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds


class FakeSlack:
    """Takes messages, or answers what is planned. A planned ``(True, answer)`` takes the message all the same."""

    def __init__(self, *, can_edit: bool = True, store=None) -> None:
        self.can_edit = can_edit
        self.store = store
        self.plan = []
        self.posts: list[tuple[str, Message, str | None, bool]] = []
        self.edits: list[tuple[str, str, Message]] = []

    @property
    def top(self) -> list[Message]:
        """The messages that are no replies."""
        return [message for _, message, thread, _ in self.posts if thread is None]

    @property
    def replies(self) -> list[Message]:
        return [message for _, message, thread, _ in self.posts if thread is not None]

    def post(self, channel, message, /, *, thread=None, broadcast=False):
        def take():
            self.posts.append((channel, message, thread, broadcast))
            return Posted(f"{len(self.posts)}.0" if self.can_edit else None, channel if self.can_edit else None)

        return self._answer(take)

    def update(self, channel, ts, message, /):
        def take():
            self.edits.append((channel, ts, message))
            return Posted(ts, channel)

        return self._answer(take)

    def _answer(self, take):
        """A process can end before a message is taken, and after it."""
        if self.store is not None:
            self.store.step()
        planned = self.plan.pop(0) if self.plan else None
        answer = planned
        if planned is None or isinstance(planned, tuple):
            taken = take()
            answer = planned[1] if planned else taken
        if self.store is not None:
            self.store.step()
        return answer

    def check(self):
        return None


class FakeWay:
    """A second way that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.is_broken = False

    def tell(self, subject, text, /):
        if self.is_broken:
            raise OSError("no way out")
        self.told.append((subject, text))


__all__ = ["CrashError", "FakeClock", "FakeSlack", "FakeWay"]
