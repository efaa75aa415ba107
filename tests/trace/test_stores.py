"""Every story and random play in SQLite, DynamoDB and Firestore, written and asked for as the commands do it."""

from contextlib import closing

import pytest
from click.testing import CliRunner

from callerid.cli import main
from callerid.ledger.part import CALLS
from callerid.ledger.sessions import Sessions
from callerid.ledger.url import connect
from callerid.trace import run, show
from callerid.trace.chain import back
from callerid.trace.index import LogIndex
from callerid.trace.query import parse
from tests.trace import made
from tests.trace.test_stories import named, plain
from tests.trace.test_truth import Play, counted, edges, measured, of_calls


def scanned(path, url):
    """Write a log into a ledger, its sessions too."""
    arguments = ["scan", str(path), "--ledger", url, "--sessions", "--fail-on", "never"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture
def log(tmp_path):
    """Writes a story's log."""

    def write(text):
        (tmp_path / "story.jsonl").write_text(text)
        return tmp_path / "story.jsonl"

    return write


WEAKER = {
    "without keys the assumed role id and the beginning attest one session",
    "without keys two sessions of one name and second are two branches",
    "a switch of role leads to the user who switched",
    "a console session, whose calls show keys of the console's own, leads back to its sign-in",
    "another session of the same name and second is never attested, though its own AssumeRole is missing",
    "an exchange that names the role alone is inferred",
    "a call whose token was never logged goes on to the exchange",
}
"""Stories in which a ledger does not lead forward, only back: it keeps a call under its strongest identifier alone."""


def printed(result, *, forward):
    """A result as the command prints it, without single calls: a ledger knows how many went to which service."""
    chains = [chain if forward else show.Chain(chain.back) for chain in result.chains]
    return "".join(f"{line}\n" for line in run.shown(run.Result(result.named, chains, {}), "tree", 20))


def of_log(path, text):
    """What a log tells of a record that a ledger keeps: an issue, or a session's calls together."""
    result = run.in_logs([str(path)], parse(text), forward=True)
    links = [(chain, chain.back.link) for chain in result.chains]
    kept = [chain for chain, link in links if link.calls or link.kind not in (None, *CALLS)]
    return run.Result(result.named, kept, {}), [link for chain, link in links if chain not in kept]


@named
def test_a_story_is_told_by_every_store_as_by_its_log(ledger, log, case):
    """Asked for by each of its records and by what the story asks for; a call, as an alert has it at hand, leads back."""
    path = log(made.lines(case["records"]))
    scanned(path, ledger)
    ids = [record.get("eventID") or record["insertId"] for record in made.records(case["records"])]
    leads_forward = []
    with closing(connect(ledger)) as store:
        for text in dict.fromkeys((*ids, case["trace"])):
            stored, (logged, calls) = run.in_store(store, parse(text), forward=True), of_log(path, text)
            assert printed(stored, forward=False) == printed(logged, forward=False)
            leads_forward.append(printed(stored, forward=True) == printed(logged, forward=True))
            for call in calls:
                with LogIndex(parse(text)) as logs:
                    logs.add(str(path))
                    logs.finish()
                    assert plain(back(call, Sessions(store))) == plain(back(call, logs))
    assert all(leads_forward) == (case["case"] not in WEAKER)


def test_what_every_store_attests_is_true_and_what_is_true_it_finds(ledger, log, links):
    """Of issues; single calls are the logs' alone. The records come late, out of order and some of them twice."""
    play = Play(0, flows=7)
    scanned(log("".join(play.lines())), ledger)
    with closing(connect(ledger)) as store:
        sessions = Sessions(store)
        found = edges(play, lambda record_id: [back(link, sessions) for link in sessions.asked(parse(record_id))])
    links(ledger.partition(":")[0], counted(play, found, of_calls(play)))
    wrong, missing, _ = measured(play, found)
    assert (wrong, {one for one in missing if one[0] not in of_calls(play)}) == (set(), set())


STORY = [
    {"web": {"id": "a1", "at": "03:00:00", "subject": "repo:acme/app", "issuer": "ci.example.com", "role": "batch", "session": "job"}},
    {"exchange": {"id": "g1", "at": "03:01:00", "subject": "arn:aws:sts::111111111111:assumed-role/batch/job"}},
    {"token": {"id": "g2", "at": "03:01:01", "by": "arn:aws:sts::111111111111:assumed-role/batch/job", "account": "a@my-gcp-project.iam.gserviceaccount.com"}},
    {"google": {"id": "g3", "at": "03:02:00", "by": "a@my-gcp-project.iam.gserviceaccount.com", "behind": ["arn:aws:sts::111111111111:assumed-role/batch/job"]}},
]  # fmt: skip
TOLD = """\
2026-11-02T03:01:01Z GenerateAccessToken for a@my-gcp-project.iam.gserviceaccount.com by batch/job (111111111111, pool crosscloud-test) [g2]
└─ attested (mapped principal): 2026-11-02T03:01:00Z SecurityTokenService.ExchangeToken by batch/job (111111111111) [g1]
   └─ correlated (session ARN): 2026-11-02T03:00:00Z AssumeRoleWithWebIdentity by repo:acme/app [a1]
= OpenID Connect subject repo:acme/app of ci.example.com, correlated
> with what GenerateAccessToken [g2] issued:
└─ attested (delegation): 2026-11-02T03:02:00Z 1 call (storage.googleapis.com 1) [g3]
"""


def test_the_command_asks_every_store_for_a_chain_across_both_clouds(ledger, log):
    """And says of what is not there that it is not."""
    scanned(log(made.lines(STORY)), ledger)
    found = CliRunner().invoke(main, ["trace", "g2", "--ledger", ledger, "--forward"], catch_exceptions=False)
    assert (found.exit_code, found.stdout, found.stderr) == (0, TOLD, "")
    found = CliRunner().invoke(main, ["trace", "nobody", "--ledger", ledger], catch_exceptions=False)
    assert (found.exit_code, found.stdout, found.stderr) == (1, "", "callerid: nothing found for nobody\n")
