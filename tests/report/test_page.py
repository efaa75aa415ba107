"""The page as text: self-contained, escaped, and honest about what was not observed."""

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid.report import callers, picture
from callerid.report.charts import percent
from callerid.report.figures import Figures
from callerid.report.names import short, whole
from callerid.report.page import _data, page
from tests.conftest import entry, record
from tests.report.made import HOSTILE, ORIGIN, named, of_logs


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, book) -> str:
    """The page of callers with names that were chosen to break it."""
    records = [named(number, name) for number, name in enumerate(HOSTILE, 1)]
    records += [record(100, eventTime="</script><script>x</script>"), "<script>no record</script>"]
    return page(of_logs(tmp_path_factory.mktemp("hostile"), records, book), ORIGIN)


def test_the_page_has_exactly_its_own_two_scripts(hostile):
    assert re.findall(r"<script[^>]*>", hostile) == ['<script type="application/json" id="data">', "<script>"]
    assert hostile.count("</script>") == 2
    assert "<img" not in hostile
    assert "<!--" not in hostile


def test_the_policy_of_the_page_allows_its_style_and_script_by_their_digests_alone(hostile):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', hostile)
    policy = policy.replace("&#39;", "'")
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", hostile, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert hostile.index("Content-Security-Policy") < hostile.index("<style>")


def test_nothing_is_fetched_and_nothing_has_a_style_or_handler_of_its_own(hostile):
    markup = re.sub(r"<(script|style)\b.*?</\1>|<title>.*?</title>|>[^<]*<", "<>", hostile, flags=re.DOTALL)
    assert not re.search(r"\s(src|style|on\w+|xlink:href|action)=", markup.replace("img src=x onerror=", ""))
    assert set(re.findall(r'\shref="([^"#]*)', hostile)) == {"data:,", ""}
    assert "http:" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg", "", hostile)


def test_whatever_scrolls_sideways_can_be_reached_by_the_keyboard_and_has_a_name(hostile):
    regions = re.findall(r'<div class="wide"[^>]*>', hostile)
    assert len(regions) == 4
    assert all(re.search(r'tabindex="0" role="region" aria-label="[^"]+"', region) for region in regions)
    assert "<th></th>" not in hostile


@given(st.text())
def test_data_for_the_script_is_json_that_never_ends_its_element(text):
    data = str(_data([callers.Caller(text, text, listed=False)]))
    assert not re.search("[<>&\u2028\u2029]", data)
    assert json.loads(data)[0][:2] == [text, text]


def test_marks_that_hide_or_turn_text_around_are_made_visible(hostile):
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u2028\u2029\0]", hostile)


def test_a_long_name_keeps_both_ends(hostile):
    assert "x" * 500 not in hostile
    assert len(whole("a" * 9_999 + "b")) == 400
    assert whole("a" * 9_999 + "b").endswith("b")


def test_a_period_in_which_nothing_was_heard_has_no_share(tmp_path):
    text = page(Figures(days=["2026-11-02", "2026-11-03"]), ORIGIN)
    answer = text.partition('<section class="answer"')[2].partition("</section>")[0]
    assert '<p class="big none" id="share">not observed</p>' in answer
    assert answer.count("not observed.</strong>") == 2
    assert "0 %" not in answer
    assert "100 %" not in answer
    assert text.count(": not observed</title>") == 6  # two days, both clouds and each


def test_a_cloud_that_was_not_heard_is_told_beside_the_number(tmp_path, book):
    text = page(of_logs(tmp_path, [record(1)], book), ORIGIN)
    assert '<p class="big" id="share">100 %</p>' in text
    assert "<strong>Google Cloud: not observed.</strong>" in text
    assert "Google Cloud <strong>not observed</strong>" in text


def test_logs_without_a_crossing_are_not_the_same_as_no_logs(tmp_path, book):
    quiet = record(1, eventSource="s3.amazonaws.com", eventName="GetObject", userIdentity={"type": "IAMUser"})
    text = page(of_logs(tmp_path, [quiet], book), ORIGIN)
    assert '<p class="big none" id="share">nothing to judge</p>' in text


def test_what_was_not_read_to_its_end_is_told_first(tmp_path, book):
    origin = ORIGIN._replace(broken_off=("logging://p: <b>quota</b>",))
    answer = page(of_logs(tmp_path, [record(1)], book), origin).partition("</section>")[0]
    assert "<strong>Not read to its end:</strong> logging://p: &lt;b&gt;quota&lt;/b&gt;</li>" in answer


def test_a_finding_stands_with_its_reasons_and_what_to_do(tmp_path, book):
    text = page(of_logs(tmp_path, [named(1, "repo:acme-app/app:environment:production")], book), ORIGIN)
    findings = text.partition('<section id="findings">')[2].partition("</section>")[0]
    for said in ("subject-unlisted", "the subject is not in the caller book", "Closest in the caller book: release",
                 "Expected: this goes into the caller book", "Not expected: this would have refused it",
                 "How to fix subject-unlisted", "arn:aws:iam::111111111111:role/crosscloud-test"):  # fmt: skip
        assert said in findings


def test_the_picture_and_the_table_are_bounded_and_say_so(tmp_path, book, monkeypatch):
    monkeypatch.setattr(callers, "MOST", 50)
    records = [named(number, f"repo:acme/app{number:03}:ref:refs/heads/main") for number in range(1, 121)]
    found = of_logs(tmp_path, [*records, entry(1)], book)
    text = page(found, ORIGIN)
    assert "and 71 more callers" in text
    drawn = picture.picture(found.flows)
    assert drawn.count('class="box') <= sum(picture.MOST) + 3
    assert f"and {121 - picture.MOST[0]} more" in drawn


@pytest.mark.parametrize(
    ("named_", "judged", "said"),
    [(1, 1, "100 %"), (9_999, 10_000, "99.99 %"), (9_999_999, 10_000_000, "over 99.999 %"), (0, 5, "0 %"), (5, 6, "83.3 %")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_all(named_, judged, said):
    assert percent(named_, judged) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("arn:aws:iam::111111111111:role/deploy", ("role/deploy", "111111111111")),
        ("arn:aws:sts::111111111111:assumed-role/deploy/x", ("role/deploy", "111111111111")),
        ("projects/1/locations/global/workloadIdentityPools/p/providers/q", ("p/q", "")),
        ("x@my-gcp-project.iam.gserviceaccount.com", ("x@my-gcp-project", "")),
        ("111111111111", ("account 111111111111", "")),
    ],
)
def test_a_name_is_short_and_says_where_it_belongs(name, said):
    assert short(name) == said
