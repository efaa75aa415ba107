"""Untrusted text has three ways out, and every one is safe."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callerid.alerts.text import Untrusted, escaped, size, visible

SIGNS = st.text(max_size=80) | st.text('<>&`"\\é💣\u202e\ud800\u0301a ', max_size=80)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "–"),
        (None, "–"),
        (" ", "`␣`"),
        ("\u200b", "`␣`"),
        ("production\u3164", "`production␣`"),
        ("pro\u034fduction\ufe0f", "`pro duction␣`"),
        ("a", "`a`"),
        ("a ", "`a␣`"),
        ("\ta", "`␣a`"),
        ("a\nb\x00c\u2028d", "`a b c d`"),
        ("\u202egnp.exe", "`␣gnp.exe`"),
        ("a`b", "`aˋb`"),
        ("<!channel>", "`&lt;!channel&gt;`"),
        ("&amp;", "`&amp;amp;`"),
        ("e\u0301", "`é`"),
        ("\ud800x", "`␣x`"),
        ("\ue000x\U000e0041", "`␣x␣`"),
    ],
)
def test_a_code_span_shows_every_sign_and_obeys_none(text, code):
    assert Untrusted(text).code() == code


def test_the_middle_goes_before_the_escapes_are_made():
    assert Untrusted("&" * 100).code(20) == "`&amp;&amp;…&amp;`"
    assert Untrusted("repo:acme/app:ref:refs/heads/main").code(20) == "`repo:acme…ads/main`"


@settings(deadline=None)
@given(SIGNS, st.integers(8, 200))
def test_a_limit_holds_for_what_is_sent(text, limit):
    code = Untrusted(text).code(limit)
    assert len(code.encode()) <= limit + 2
    assert code == "–" or not set("`<>") & set(code[1:-1])
    assert len(Untrusted(text).plain(limit).encode()) <= limit


@settings(deadline=None)
@given(SIGNS)
def test_what_comes_out_has_no_sign_that_hides_or_turns(text):
    for out in (Untrusted(text).code(), Untrusted(text).plain(), visible(text), Untrusted(text).raw(500) or ""):
        signs = {unicodedata.category(sign) for sign in out if sign != "\n"}
        assert not signs & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_ten_megabytes_of_marks_take_no_time():
    assert Untrusted("e" + "\u0316\u0301" * 5_000_000).code().endswith("`")
    assert "…" in visible("x" * 10_000_000)


def test_plain_text_has_no_angle_bracket_that_slack_could_read():
    assert Untrusted("<!channel>").plain() == "‹!channel›"
    assert Untrusted("").plain() == "–"


def test_lines_to_copy_are_whole_or_not_there():
    assert Untrusted('a: "<!channel>"\n  b: \t1  \n').raw(100) == 'a: "\\u003c!channel>"\n  b:  1'
    assert Untrusted("x" * 11).raw(10) is None
    assert Untrusted("<" * 9).raw(10) is None
    assert Untrusted("").raw(10) is None
    assert Untrusted(" \n ").raw(10) is None


@pytest.mark.parametrize(
    "use",
    [
        lambda text: f"{text}", lambda text: f"{text:>10}", lambda text: f"{text!s}", lambda text: "%s" % text,  # noqa: UP031
        "{}".format, str, lambda text: "a" + text, lambda text: ",".join([text]), json.dumps,  # noqa: FLY002
    ],
)  # fmt: skip
def test_untrusted_text_cannot_be_formatted(use):
    with pytest.raises(TypeError):
        use(Untrusted("<!channel>"))


def test_a_repr_shows_nothing():
    assert "channel" not in f"{Untrusted('<!channel>')!r}"
    assert not hasattr(Untrusted("x"), "__dict__")


def test_sizes_are_of_what_is_sent():
    assert size('a"é<&') == 1 + 2 + 2 + 4 + 5
    assert escaped("<&>") == "&lt;&amp;&gt;"
