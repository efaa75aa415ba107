"""The page's traced chains: what was asked for, back to who began it, and on, from logs and from a ledger alike."""

import io
import re

import pytest
from click.testing import CliRunner

from callerid.cli.report import report
from callerid.cli.scan import scan
from callerid.report import chains
from callerid.report.figures import Figures
from callerid.report.page import page
from callerid.trace import run
from tests.report.made import HOSTILE, ORIGIN
from tests.report.test_browser import browser, opened
from tests.sources.test_cloud import URL, server
from tests.trace import made

__all__ = ["browser", "opened", "server"]

KEYS = [f"ASIAEXAMPLEEXAMPLE00{number}" for number in range(1, 6)]
BATCH, SHARED = "arn:aws:sts::111111111111:assumed-role/batch/job", "target@my-gcp-project.iam.gserviceaccount.com"
STORY = [
    {"web": {"id": "a1", "at": "03:00:00", "subject": "repo:acme/app", "issuer": "ci.example.com", "role": "batch", "session": "job", "makes": KEYS[0]}},
    {"assume": {"id": "a2", "at": "03:00:10", "by": "user/bob", "role": "batch", "session": "job", "makes": KEYS[1], "source_identity": "bob"}},
    {"assume": {"id": "a3", "at": "03:01:00", "by": "batch/job", "key": KEYS[1], "began": "03:00:10", "source_identity": "bob", "role": "deploy", "session": "d", "to": "222222222222", "both": "b3", "makes": KEYS[2]}},
    {"call": {"id": "c1", "at": "03:01:30", "by": "222222222222:deploy/d", "key": KEYS[2], "began": "03:01:00", "source_identity": "mallory"}},
    {"call": {"id": "c2", "at": "03:01:40", "by": "222222222222:deploy/d", "key": KEYS[2], "began": "03:01:00", "source_identity": "mallory", "error": "AccessDenied"}},
    {"exchange": {"id": "g1", "at": "03:02:00", "subject": BATCH}},
    {"token": {"id": "g2", "at": "03:02:01", "by": BATCH, "account": SHARED}},
    {"google": {"id": "g3", "at": "03:03:00", "by": SHARED, "behind": [BATCH]}},
    {"google": {"id": "g4", "at": "03:03:01", "by": SHARED, "behind": [BATCH]}},
]  # fmt: skip
POOL = "pool projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"
BACK = f"""\
Traced: g4
attested a shared identifier that one issue fits
correlated the same name within the life of the session, or several that fit
inferred a name only
Who began it
correlated IAM user arn:aws:iam::111111111111:user/bob
correlated OpenID Connect subject repo:acme/app of ci.example.com
From what was asked for back to there
1 2026-11-02 03:03:01 storage.objects.get Google Cloud my-gcp-project asked for
by {SHARED}
record g4 story.jsonl:10
2 2026-11-02 03:02:01 GenerateAccessToken Google Cloud my-gcp-project attested by delegation, led to step 1
by {BATCH} {POOL}
made {SHARED}
record g2 story.jsonl:8
3 2026-11-02 03:02:00 SecurityTokenService.ExchangeToken Google Cloud my-gcp-project attested by mapped principal, led to step 2
by {BATCH}
made {BATCH} {POOL}
record g1 story.jsonl:7
4 2026-11-02 03:00:00 AssumeRoleWithWebIdentity AWS 111111111111 correlated by session ARN, led to step 3
by repo:acme/app
made {BATCH}
record a1 story.jsonl:1
5 2026-11-02 03:00:10 AssumeRole AWS 111111111111 correlated by session ARN, led to step 3
by arn:aws:iam::111111111111:user/bob
made {BATCH}
record a2 story.jsonl:2
What was done with what GenerateAccessToken g2 issued
6 2026-11-02 03:03:00 to 2026-11-02 03:03:01 2 calls Google Cloud attested by delegation, came of step 2
by {SHARED}
to storage.googleapis.com 2
first record g3 story.jsonl:9
each of the 2 calls
time call service account record
2026-11-02 03:03:00 storage.objects.get storage.googleapis.com my-gcp-project g3 story.jsonl:9
2026-11-02 03:03:01 storage.objects.get storage.googleapis.com my-gcp-project g4 story.jsonl:10
Times are UTC. At most 20 chains of a name are shown, 500 steps and 500 single calls, of a session 50; callerid trace --forward --limit N --format jsonl prints every one.
"""


@pytest.fixture
def story(tmp_path, monkeypatch):
    """The story's log, by a name without a folder."""
    (tmp_path / "story.jsonl").write_text(made.lines(STORY))
    monkeypatch.chdir(tmp_path)
    return "story.jsonl"


def reported(*arguments: str, status: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(report, [*arguments, "-o", "-"])
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def traced(steps, *queries: str, folder, forward: bool = True):
    """What a trace finds of each name."""
    (folder / "log.jsonl").write_text(made.lines(steps))
    wanted = [run.query(query, since=None, until=None, policy=None) for query in queries]
    return run.each_in_logs([str(folder / "log.jsonl")], wanted, forward=forward)


def drawn(results) -> str:
    """The page of nothing but traces."""
    return page(Figures(days=["2026-11-02"]), ORIGIN, results)


def said(text: str, number: int = 1) -> str:
    """A trace's words, a line for each part."""
    section = text.partition(f'<section class="trace" id="trace-{number}"')[2].partition("</section>")[0]
    lines = re.sub(r"</(?:p|h\d|li|div|tr|summary)>", "\n", section.partition(">")[2].replace("\n", " "))
    words = re.sub(r"<[^>]*>", "", re.sub(r"</(?:dt|td|th)>", " ", lines)).replace("&#39;", "'")
    return "".join(f"{' '.join(line.split())}\n" for line in words.split("\n") if line.strip())


def test_a_chain_is_told_step_by_step_to_who_began_it_and_on(story):
    text, told = reported(story, "--trace", "g4")
    assert said(text) == BACK
    assert told == ""


def test_a_ledger_tells_how_many_calls_went_to_which_service(story, tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    CliRunner().invoke(scan, [story, "--ledger", url, "--sessions", "--fail-on", "never"], catch_exceptions=False)
    text, _ = reported("--ledger", url, "--since", "2026-11-02", "--until", "2026-11-02", "--trace", "a3")
    words = said(text)
    assert "2 2026-11-02 03:00:10 AssumeRole AWS 111111111111 attested by access key, led to step 1" in words
    assert "3 2026-11-02 03:01:30 to 2026-11-02 03:01:40 2 calls AWS attested by access key, came of step 1" in words
    assert "to s3.amazonaws.com 2" in words
    assert "each of the" not in words


def test_both_accounts_records_and_a_changed_source_identity_are_told(story):
    words = said(reported(story, "--trace", "c1")[0])
    assert "▲ source identity changed: issued with bob, shows mallory" in words
    assert "records a3 story.jsonl:3, b3 story.jsonl:4" in words
    assert "2026-11-02 03:01:40 ListBuckets (denied) s3.amazonaws.com 222222222222 c2 story.jsonl:6" in words


def test_several_names_are_read_together_and_each_has_its_own(story):
    """Each is what it is alone, but for its place on the page."""
    text, _ = reported(story, "--trace", "g4", "--trace", "c1", "--trace", "g4")
    assert said(text) == BACK
    assert said(text, 2) == said(reported(story, "--trace", "c1")[0])
    assert 'id="trace-3"' not in text
    assert '<p>Traced: <a href="#trace-1">g4</a>, <a href="#trace-2">c1</a></p>' in text


def test_the_logs_are_read_twice_however_many_names_there_are(story, monkeypatch):
    from callerid.trace import index

    read, batches = [], index.batches
    monkeypatch.setattr(index, "batches", lambda path, *miss: read.append(path) or batches(path, *miss))
    reported(story, "--trace", "g4", "--trace", "c1", "--trace", "bob")
    assert read == [story, story]


def test_what_is_not_found_is_told_and_the_page_is_written_all_the_same(story, tmp_path):
    text, told = reported(story, "--trace", "nobody", "--trace", "g4", status=1)
    assert told == "callerid: nothing found for nobody\n"
    assert said(text).startswith("Traced: nobody\nNothing found. ")
    assert said(text, 2) == BACK
    assert '<a href="#trace-1">nobody</a> (nothing found)' in text


def test_the_period_of_the_page_is_that_of_what_is_asked_for(story):
    reported(story, "--until", "2026-11-02", "--since", "2026-11-02", "--trace", "g4")
    reported(story, "--since", "2026-11-03", "--until", "2026-11-03", "--trace", "g4", status=1)


def test_a_caller_is_traced_by_its_name_in_the_policy(story, tmp_path):
    """As `callerid trace` does."""
    entry = "{name: Bob, owner: x@example.com, identities: [{iam_user: 'arn:aws:iam::111111111111:user/bob'}]}"
    (tmp_path / "policy.yaml").write_text(f"version: 1\ncallers:\n  - {entry}\n")
    assert "IAM user arn:aws:iam::111111111111:user/bob" in said(
        reported(story, "--policy", "policy.yaml", "--trace", "Bob")[0]
    )


def test_what_can_be_read_once_alone_is_refused_before_it_is_read(story):
    assert "cannot be" in reported("-", "--trace", "g4", status=2)[1]


def test_a_pipe_is_refused_too(story, tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    assert "standard input and pipes" in reported(story, str(tmp_path / "pipe"), "--trace", "g4", status=2)[1]


def test_a_history_that_broke_off_is_told_once_however_often_it_was_read(server, story):
    server.plan = [403] * 3
    text, _ = reported(story, URL, "--trace", "g4")
    assert text.count("Not read to its end:") == 1
    assert len(server.requests) == 3


def test_without_a_trace_the_page_has_no_word_of_it(story):
    text, _ = reported(story)
    assert "Traced" not in text
    assert "trace-1" not in text


def test_the_calls_of_a_session_are_bounded_and_the_rest_is_counted(tmp_path):
    issue = {"id": "a1", "at": "03:00:00", "by": "user/bob", "role": "batch", "session": "job", "makes": KEYS[0]}
    calls = [{"call": {"id": f"c{number}", "at": f"03:{number // 60:02}:{number % 60:02}", "by": "batch/job", "key": KEYS[0], "began": "03:00:00"}} for number in range(1, 2_001)]  # fmt: skip
    text = said(drawn(traced([{"assume": issue}, *calls], "a1", folder=tmp_path)))
    assert "the first 50 of 2,000 calls" in text
    assert text.count(" ListBuckets s3.amazonaws.com ") == 50


@pytest.mark.parametrize(("steps", "calls", "words"), [(3, 9, "and 2 more steps back"), (9, 1, "the first 1 of 2 calls"), (9, 0, "2 single calls are known and not shown"), (5, 9, "and 1 more steps")])  # fmt: skip
def test_steps_and_calls_of_one_name_are_bounded_together(tmp_path, monkeypatch, steps, calls, words):
    left = chains._Left(steps, calls)
    monkeypatch.setattr(chains, "_Left", lambda: left)
    text = said(drawn(traced(STORY, "g4", folder=tmp_path)))
    assert words in text
    assert len(re.findall(r"^\d+ 2026", text, re.MULTILINE)) <= steps


def test_chains_beyond_the_most_are_counted(tmp_path):
    many = [{"assume": {"id": f"a{number}", "at": f"03:00:{number:02}", "by": "user/bob", "role": "batch", "session": f"s{number}"}} for number in range(30)]  # fmt: skip
    text = said(drawn(traced(many, "arn:aws:iam::111111111111:role/batch", folder=tmp_path)))
    assert text.count("who began it") == chains.CHAINS
    assert "and 10 more chains of this name" in text
    assert "Nothing, as far as these records show." in text


def test_a_step_that_several_lead_to_is_told_whole_once(tmp_path):
    """Two tokens, one exchange behind both."""
    steps = [
        {"exchange": {"id": "g1", "at": "03:01:00", "subject": "worker"}},
        *({"token": {"id": f"t{second}", "at": f"03:01:0{second}", "by": "worker", "account": SHARED}} for second in (1, 2)),
        {"google": {"id": "g3", "at": "03:02:00", "by": SHARED}},
    ]  # fmt: skip
    (trace,) = chains.traces(traced(steps, "g3", folder=tmp_path))
    (chain,) = trace.chains
    assert [(step.number, step.of, step.depth, step.basis) for step in chain.back] == [
        (1, None, 0, ""), (2, 1, 1, "correlated"), (3, 2, 1, "attested"), (4, 1, 1, "correlated"), (5, 4, 1, "attested"),
    ]  # fmt: skip


def test_a_chain_of_a_hundred_steps_is_a_list_of_one_depth(tmp_path):
    """A role that takes itself on again and again."""
    key = [f"ASIAEXAMPLE{number:09}" for number in range(100)]
    at = [f"03:{number:02}:00" if number < 60 else f"04:{number - 60:02}:00" for number in range(100)]
    steps = [{"assume": {"id": "a0", "at": at[0], "by": "user/bob", "role": "r", "session": "s", "makes": key[0]}}]
    steps += [{"assume": {"id": f"a{n}", "at": at[n], "by": "r/s", "key": key[n - 1], "began": at[n - 1], "role": "r", "session": "s", "makes": key[n]}} for n in range(1, 99)]  # fmt: skip
    (trace,) = chains.traces(traced(steps, "a98", folder=tmp_path, forward=False))
    assert [step.depth for step in trace.chains[0].back] == [0] * 99
    assert "IAM user arn:aws:iam::111111111111:user/bob" in said(drawn(traced(steps, "a98", folder=tmp_path)))


def hostile(folder):
    """Every name that a caller chooses, in every place of a chain."""
    steps = [
        {"web": {"id": f"a{number}", "at": "03:00:00", "subject": name, "issuer": "ci.example.com", "role": "batch", "session": name[:64], "makes": f"ASIAEXAMPLE{number:09}", "source_identity": name}}
        for number, name in enumerate(HOSTILE)
    ]  # fmt: skip
    calls = [{"call": {"id": f"{name[:90]}{number}", "at": "03:01:00", "by": f"batch/{name}", "event": name, "service": name, "key": f"ASIAEXAMPLE{number:09}", "began": "03:00:00", "source_identity": "x"}} for number, name in enumerate(HOSTILE)]  # fmt: skip
    return traced([*steps, *calls], "arn:aws:iam::111111111111:role/batch", *HOSTILE[:4], folder=folder)


def test_hostile_names_are_text(tmp_path):
    text = drawn(hostile(tmp_path))
    assert re.findall(r"<script[^>]*>", text) == ['<script type="application/json" id="data">', "<script>"]
    assert text.count("</script>") == 2
    assert "<img" not in text
    assert "<!--" not in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u2028\u2029\0]", text)
    assert "x" * 500 not in text
    assert "49" not in re.findall(r"<h2[^>]*>Traced: .*?</h2>", text)


@pytest.mark.parametrize("width", [1200, 390])
def test_hostile_names_do_nothing_in_a_browser_and_fit_any_screen(opened, tmp_path, width):
    tab = opened(drawn(hostile(tmp_path)), viewport={"width": width, "height": 800})
    assert tab.title().startswith("callerid: who crossed")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator("img").count() == 0


def test_a_basis_is_told_by_its_word_and_its_line(opened, tmp_path):
    tab = opened(drawn(traced(STORY, "g4", folder=tmp_path)))
    line = "(steps) => steps.map((step) => [getComputedStyle(step).borderLeftStyle, step.querySelector('.basis').innerText])"
    assert tab.locator(".step").evaluate_all(line) == [
        ["solid", "asked for"], ["solid", "attested"], ["solid", "attested"], ["dashed", "correlated"],
        ["dashed", "correlated"], ["solid", "attested"],
    ]  # fmt: skip
    assert tab.locator(".bases .inferred").evaluate("(one) => getComputedStyle(one).borderTopStyle") == "dotted"


def test_the_keyboard_leads_from_the_top_to_a_chain_and_from_a_step_to_the_one_it_led_to(opened, tmp_path):
    tab = opened(drawn(traced(STORY, "g4", folder=tmp_path)))
    tab.locator("nav a").focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("location.hash") == "#trace-1"
    tab.locator("#trace-1-1-2 a").focus()
    tab.keyboard.press("Enter")
    assert tab.locator(".step:target .number").inner_text() == "1"
    tab.locator(".step summary").focus()
    tab.keyboard.press("Enter")
    assert not tab.locator(".step table").is_visible()


def test_on_paper_each_trace_begins_a_page_with_every_call_open(opened, tmp_path):
    from pypdf import PdfReader

    issue = {"id": "a1", "at": "03:00:00", "by": "user/bob", "role": "batch", "session": "job", "makes": KEYS[0]}
    calls = [
        {"call": {"id": f"c{n}", "at": f"03:01:{n:02}", "by": "batch/job", "key": KEYS[0], "began": "03:00:00"}}
        for n in range(10, 40)
    ]
    tab = opened(drawn(traced([{"assume": issue}, *calls], "a1", "c39", folder=tmp_path)), color_scheme="dark")
    sheets = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(tab.pdf(format="A4"))).pages]
    begun = [sheet for sheet in sheets if sheet.startswith("Traced: ")]
    assert [sheet.split("\n")[0] for sheet in begun] == ["Traced: a1", "Traced: c39"]
    assert "c38" in "".join(sheets)
