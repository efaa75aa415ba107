"""Which hours a week has."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid.summary.week import WeekError, last_whole_week, week


@pytest.mark.parametrize(
    ("now", "label"),
    [
        ("2026-12-28T00:00:00", "2026-W52"),
        ("2027-01-03T23:59:59", "2026-W52"),
        ("2027-01-04T00:00:00", "2026-W53"),
        ("2027-01-10T23:59:59", "2026-W53"),
        ("2027-01-11T00:00:00", "2027-W01"),
        ("2026-11-22T15:00:00", "2026-W46"),
    ],
)
def test_the_last_whole_week_is_right_around_the_year(now, label):
    found = last_whole_week(datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp())
    assert found == week(label)


def test_a_week_begins_at_midnight_in_its_zone():
    tokyo = week("2026-W47", "Asia/Tokyo")
    assert (tokyo.start.isoformat(), tokyo.end.isoformat()) == (
        "2026-11-15T15:00:00+00:00",
        "2026-11-22T15:00:00+00:00",
    )
    assert tokyo.days == [f"2026-11-{day}" for day in range(15, 23)]
    assert not tokyo.has("2026-11-15", "14")
    assert tokyo.has("2026-11-15", "15")
    assert tokyo.has("2026-11-22", "14")
    assert not tokyo.has("2026-11-22", "15")


def test_a_week_has_the_days_of_which_it_has_hours():
    assert week("2026-W45").days == [f"2026-11-0{day}" for day in range(2, 9)]


def test_an_hour_in_which_a_week_begins_counts_to_the_one_before():
    nepal = week("2026-W47", "Asia/Kathmandu")
    assert nepal.start.isoformat() == "2026-11-15T18:15:00+00:00"
    assert not nepal.has("2026-11-15", "18")
    assert nepal.has("2026-11-15", "19")
    assert nepal.has("2026-11-22", "18")
    assert not nepal.has("2026-11-22", "19")


def test_the_week_that_is_over_depends_on_the_zone():
    sunday_evening = datetime(2026, 11, 22, 16, tzinfo=UTC).timestamp()
    assert last_whole_week(sunday_evening).label == "2026-W46"
    assert last_whole_week(sunday_evening, "Asia/Tokyo").label == "2026-W47"


@pytest.mark.parametrize(("label", "hours"), [("2026-W13", 167), ("2026-W43", 169), ("2026-W20", 168)])
def test_a_week_in_which_clocks_change_has_an_hour_less_or_more(label, hours):
    found = week(label, "Europe/Berlin")
    assert found.end - found.start == timedelta(hours=hours)


def test_the_week_before_the_first_is_last_years_fifty_third():
    assert week("2027-W01").before(1).label == "2026-W53"
    assert week("2027-W01").before(2).label == "2026-W52"


@pytest.mark.parametrize("label", ["2026-W54", "2025-W53", "2026-47", "", "2026-W4x", "W47"])
def test_what_is_no_week_is_refused(label):
    with pytest.raises(WeekError, match=r"expected an ISO week|Invalid week"):
        week(label)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_what_is_no_zone_is_refused(zone):
    with pytest.raises(WeekError, match="expected a time zone"):
        week("2026-W47", zone)


@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001  # hypothesis adds no zone
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles", "Europe/Berlin", "Asia/Kathmandu"]),
)
def test_every_hour_belongs_to_exactly_one_week(moment, zone):
    day, clock = f"{moment:%Y-%m-%d}", f"{moment:%H}"
    around = [date.fromisoformat(day) + timedelta(days=7 * weeks) for weeks in (-1, 0, 1)]
    labels = [f"{one.isocalendar().year}-W{one.isocalendar().week:02}" for one in around]
    assert sum(week(label, zone).has(day, clock) for label in labels) == 1
