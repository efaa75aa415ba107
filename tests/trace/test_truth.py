"""Flows played at random by who knows the truth: how many links are found, and how many of those found are right."""

import random

import pytest

from callerid.trace.chain import back, steps
from callerid.trace.index import LogIndex
from callerid.trace.link import Basis
from callerid.trace.query import parse
from tests.trace import made
from tests.trace.stored import sessions_of

ACCOUNTS = ("111111111111", "222222222222")
EMAIL = "target-{}@my-gcp-project.iam.gserviceaccount.com"


class Play:
    """Several callers on the same roles at the same time; ``truth`` has for each record the one before it."""

    def __init__(self, seed, flows=12):
        self.random = random.Random(seed)
        self.steps, self.truth, self.number = [], {}, 0
        for _ in range(flows):
            self.flow()

    def id(self, before):
        """The id of the next record, which came from ``before``."""
        self.number += 1
        self.truth[f"r{self.number}"] = before
        return f"r{self.number}"

    def time(self, seconds):
        """A time of the stories' day."""
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def key(self):
        """A key of its own; now and then one that was issued two years ago to somebody else."""
        key = f"ASIAEXAMPLE{self.random.randrange(10**9):09}"
        if self.random.random() < 0.3:
            old = {"id": self.id(None), "at": "2024-11-02T03:00:00Z", "by": "user/old", "role": "old", "session": "s"}
            self.steps.append({"assume": {**old, "makes": key}})
        return key

    def flow(self):
        """A sign-in or a user, up to three roles, calls, and sometimes over to Google."""
        now, account, before = self.random.randrange(3600, 7200), ACCOUNTS[0], None
        by, key, began = f"user/u{self.random.randrange(3)}", None, None
        for depth in range(self.random.randrange(1, 4)):
            role, session = f"role{self.random.randrange(3)}", self.random.choice(("job", "GitHubActions"))
            issued, at, to = self.key(), self.time(now), self.random.choice(ACCOUNTS)
            fields = {"id": self.id(before), "at": at, "role": role, "session": session, "makes": issued, "to": to}
            if depth == 0 and self.random.random() < 0.5:
                self.steps.append(
                    {"web": {**fields, "subject": f"repo:acme/{self.random.randrange(3)}", "issuer": "ci.example.com"}}
                )
            else:
                if to != account and self.random.random() < 0.7:
                    fields["both"] = f"{fields['id']}-theirs"
                self.steps.append({"assume": {**fields, "by": by, "key": key, "began": began}})
            before, by, key, began, account = fields["id"], f"{to}:{role}/{session}", issued, at, to
            now += self.random.randrange(5, 600)
            call = {"by": by, "key": key, "began": began}
            self.steps.append({"call": {"id": self.id(before), "at": self.time(now), **call}})
        if self.random.random() < 0.6:
            self.cross(now, before, f"arn:aws:sts::{account}:assumed-role/{role}/{session}")

    def cross(self, now, before, subject):
        """Exchange, impersonation and a call at Google."""
        account = EMAIL.format(self.random.randrange(3))
        makers = (
            ("exchange", {"subject": subject}),
            ("token", {"by": subject, "account": account}),
            ("google", {"by": account, "behind": [subject]}),
        )
        for seconds, (maker, fields) in enumerate(makers):
            before = self.id(before)
            self.steps.append({maker: {"id": before, "at": self.time(now + seconds), **fields}})

    def lines(self):
        """The records late, out of order and some of them twice."""
        lines = made.lines(self.steps).splitlines(keepends=True)
        lines += self.random.sample(lines, len(lines) // 5)
        self.random.shuffle(lines)
        return lines


def edges(play, index):
    """Every link that is found: record, candidate, basis."""
    found = set()
    for record_id in play.truth:
        for link in index(record_id):
            for step in steps(link):
                ids = {at.record_id.rpartition("/")[2] for at in step.link.records} & play.truth.keys()
                for edge in step.edges:
                    others = {at.record_id.rpartition("/")[2] for at in edge.step.link.records} & play.truth.keys()
                    found |= {(one, other, edge.basis) for one in ids for other in others}
    return found


def measured(play, found):
    """Precision of attested links, and how many links there are of which the truth was found, on any basis."""
    attested = {(one, other) for one, other, basis in found if basis is Basis.ATTESTED}
    truth = {(one, other) for one, other in play.truth.items() if other is not None}
    every = {(one, other) for one, other, _ in found}
    by_key = {(one, other) for one, other in truth if one in of_aws(play)}
    return attested - truth, truth - every, by_key - attested


def counted(play, found, without=frozenset()):
    """How many links were found and how many were to be found, for the summary; ``without`` are records not asked for."""
    truth = {(one, other) for one, other in play.truth.items() if other is not None and one not in without}
    attested, others = (
        {(one, other) for one, other, basis in found if (basis is Basis.ATTESTED) is wanted} for wanted in (True, False)
    )
    provable = {pair for pair in truth if pair[0] in of_aws(play)}
    return {
        "plays": 1,
        "attested": len(attested),
        "attested and right": len(attested & truth),
        "provable": len(provable),
        "proven": len(provable & attested),
        "not attested": len(others),
        "not attested and right": len(others & truth),
        "true": len(truth),
        "true and found": len(truth & (attested | others)),
    }


def of_calls(play):
    """The records that a ledger does not keep one by one."""
    return {fields["id"] for step in play.steps for name, fields in step.items() if name in ("call", "google")}


def of_aws(play):
    """The records at AWS, which show the key that they were made with."""
    return {fields["id"] for step in play.steps for name, fields in step.items() if name in ("assume", "web", "call")}


@pytest.mark.parametrize("seed", range(12))
def test_what_is_attested_is_true_and_what_is_true_is_found(tmp_path, links, seed):
    """100 % of both for attested links; and no true link is missing, whatever its basis."""
    play = Play(seed)
    lines = play.lines()
    path = tmp_path / "play.jsonl"
    path.write_text("".join(lines))

    def from_logs(record_id):
        with LogIndex(parse(record_id)) as logs:
            logs.add(str(path))
            logs.finish()
            return [back(link, logs) for link in logs.asked()]

    found = edges(play, from_logs)
    links("logs", counted(play, found))
    assert measured(play, found) == (set(), set(), set())


@pytest.mark.parametrize("seed", range(4))
def test_the_ledger_knows_as_much(links, seed):
    """Of issues; single calls are the logs' alone."""
    play = Play(seed)
    stored = sessions_of(play.lines())
    found = edges(play, lambda record_id: [back(link, stored) for link in stored.asked(parse(record_id))])
    links("the ledger in memory", counted(play, found, of_calls(play)))
    wrong, missing, _ = measured(play, found)
    assert (wrong, {one for one in missing if one[0] not in of_calls(play)}) == (set(), set())
