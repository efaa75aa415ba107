"""Charts and strips: what is drawn for what was seen, for nothing, and for what was not observed."""

import re
from collections import Counter

from callerid.report.charts import accesses_over_time, bar, columns, hours_strip, share_over_time, share_strip
from callerid.report.figures import Figures, Heard, Share, days_between

DAYS = ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"]


def figures() -> Figures:
    """Monday: 3 of 4; Tuesday: heard, nothing to judge; Wednesday: not heard; Thursday: 0 of 2."""
    return Figures(
        days=DAYS,
        by_day={
            ("2026-11-02", "aws"): Counter({"identified allowed": 2, "unexpected denied": 1, "anonymous allowed": 1}),
            ("2026-11-03", "aws"): Counter({"out-of-scope allowed": 9}),
            ("2026-11-05", "aws"): Counter({"unattributable denied": 2}),
        },
        heard=[Heard("aws", "111111111111", "us-east-1", {"2026-11-02": 0b1011, "2026-11-03": 1, "2026-11-05": 1})],
    )


def titles(svg: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"<title>(.*?)</title>", svg)))


def test_a_period_of_some_weeks_is_drawn_by_the_day_and_a_longer_one_by_the_iso_week():
    assert [column.label for column in columns(DAYS)] == ["2 Nov", "3 Nov", "4 Nov", "5 Nov"]
    weeks = columns(days_between("2026-11-20", "2027-01-17"))
    assert [column.label for column in weeks] == ["W47", "W48", "W49", "W50", "W51", "W52", "W53", "W01", "W02"]
    assert weeks[6].title == "2026-W53, 2026-12-28 to 2027-01-03"
    assert sum(len(column.days) for column in weeks) == 59


def numbers(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.partition("text-overlay")[2])


def test_a_share_over_time_tells_nothing_to_judge_from_not_observed():
    svg = share_over_time(figures())
    assert titles(svg) == [
        "2026-11-02: 75 %, 3 of 4 had a name", "2026-11-05: 0 %, 0 of 2 had a name", "2026-11-04: not observed",
    ]  # fmt: skip
    assert svg.count('class="bar"') == 4  # of Monday both parts, of Tuesday none


def test_only_what_was_nought_reads_as_nought():
    assert numbers(share_over_time(figures())) == ["75 %", "0 %"]


def test_a_cloud_that_was_never_heard_has_no_numbers():
    svg = share_over_time(figures(), "gcp")
    assert numbers(svg) == []
    assert titles(svg) == [f"{day}: not observed" for day in DAYS]


def test_every_column_of_the_accesses_says_its_number():
    assert "2026-11-02: 1 unexpected" in titles(accesses_over_time(figures()))
    assert "2026-11-05: 2 unattributable" in titles(accesses_over_time(figures()))


def test_a_chart_brings_no_style_script_id_or_colour_of_its_own():
    for svg in (share_over_time(figures()), accesses_over_time(figures())):
        assert not re.search(r"<(style|script|defs)|\s(id|style|fill|stroke)=|<!--|pygal", svg)


def test_a_strip_tells_heard_quiet_and_not_heard():
    found = figures()
    hours = hours_strip(found, found.heard[0])
    assert titles(hours) == [
        "2026-11-02: records in 3 of 24 hours", "2026-11-03: records in 1 of 24 hours", "2026-11-04: nothing heard",
        "2026-11-05: records in 1 of 24 hours",
    ]  # fmt: skip
    assert hours.count('class="unheard"') == 1
    share = share_strip(found, "aws", {"2026-11-02": Share(3, 4)})
    assert titles(share) == [
        "2026-11-02: 75 %, 3 of 4 had a name", "2026-11-03: no access", "2026-11-04: not observed", "2026-11-05: no access",
    ]  # fmt: skip
    assert share.count('class="rest"') == 1


def test_a_bar_of_nothing_is_empty():
    assert "rect" not in bar(Share())
    assert bar(Share(1, 4)).count("<rect") == 2
