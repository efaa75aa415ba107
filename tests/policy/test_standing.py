"""The policy in force is the newest good one, over cold starts too."""

import pytest

from callerid.policy import standing
from callerid.policy.standing import NoPolicyError, Standing
from tests.ledger.memory import MemoryStore

GOOD = b"version: 1\ncallers: []\n"
NEWER = b"version: 1\naws_accounts: ['111111111111']\n"
BAD = b"version: 1\ncallers: [{nmae: x}]\n"


class Place:
    """Where a policy lies, with a clock beside it."""

    def __init__(self, text: bytes | Exception) -> None:
        self.text = text
        self.time = 0.0
        self.fetched = 0

    def fetch(self) -> bytes:
        self.fetched += 1
        if isinstance(self.text, Exception):
            raise self.text
        return self.text

    def now(self) -> float:
        return self.time

    def standing(self, store: MemoryStore) -> Standing:
        return Standing(self.fetch, store, now=self.now)


def test_a_changed_policy_is_in_force_a_minute_later_and_not_asked_for_before():
    place = Place(GOOD)
    policy = place.standing(MemoryStore())
    first = policy.current().book
    place.text, place.time = NEWER, 59.0
    assert policy.current().book is first
    place.time = 61.0
    assert policy.current().book.accounts == {"111111111111"}
    assert place.fetched == 2


def test_an_unchanged_policy_stays_the_same_book():
    place = Place(GOOD)
    policy = place.standing(MemoryStore())
    first = policy.current().book
    place.time = 100.0
    assert policy.current().book is first


@pytest.mark.parametrize("newer", [BAD, OSError("no route"), b"\xff"])
def test_what_is_no_good_policy_keeps_the_last_good_one_and_is_told(newer):
    place, store = Place(GOOD), MemoryStore()
    policy = place.standing(store)
    book = policy.current().book
    place.text, place.time = newer, 100.0
    found = policy.current()
    assert found.book is book
    assert found.trouble is not None
    anew = place.standing(store).current()
    assert (anew.book.digest, anew.trouble) == (book.digest, found.trouble)
    place.text, place.time = NEWER, 200.0
    assert policy.current().trouble is None


def test_the_trouble_names_the_fault_and_where_it_is():
    place, store = Place(GOOD), MemoryStore()
    place.standing(store).current()
    place.text = BAD
    assert "policy:2:" in (place.standing(store).current().trouble or "")


@pytest.mark.parametrize("text", [BAD, OSError("no route")])
def test_without_any_good_policy_there_is_nothing_to_judge_by(text):
    with pytest.raises(NoPolicyError):
        Place(text).standing(MemoryStore()).current()


def test_a_large_policy_is_kept_in_parts_and_only_once(monkeypatch):
    monkeypatch.setattr(standing, "_PART_CHARACTERS", 50)
    text = GOOD + b"".join(b"# %d\n" % (number * 7919) for number in range(500))
    store = MemoryStore()
    Place(text).standing(store).current()
    rows = len(store.rows)
    assert rows > 10
    commits = store.commits
    Place(text).standing(store).current()
    assert store.commits == commits
    assert Place(BAD).standing(store).current().book.digest.startswith("sha256:")


def test_a_kept_policy_that_this_version_refuses_is_none(monkeypatch):
    store = MemoryStore()
    Place(GOOD).standing(store).current()

    def refuse(text: bytes, name: str) -> object:
        raise standing.PolicyError(name, [])

    monkeypatch.setattr(standing, "parse", refuse)
    with pytest.raises(NoPolicyError):
        Place(BAD).standing(store).current()
