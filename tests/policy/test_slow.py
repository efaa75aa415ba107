"""Regular expressions whose time doubles with each sign of a name are told, and no others."""

import pytest

from callerid.policy.slow import slow_part


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        (r"([a-z]+-?)+@example\.com", "[a-z]+-?"),
        (r"T-(?:[A-Z0-9]*)*", "[A-Z0-9]*"),
        (r"((\w+)\.?)*", r"(\w+)\.?"),
        (r"(?P<name>[\w.-]+\.){1,}x", r"[\w.-]+\."),
        (r"(a|aa){2,60}", "a|aa"),
    ],
)
def test_what_can_be_divided_in_many_ways_is_told(pattern, part):
    assert slow_part(pattern) == part


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-z]+",
        r"[a-z]+(\.[a-z]+)*@example\.com",
        r"([a-z]+\.)+x",
        r"T-[0-9]+",
        r"([(+*)]|\()+",
        r"(ab?){2}",
        r"(a)(\1b)+",
    ],
)
def test_what_a_name_falls_into_in_one_way_is_not(pattern):
    assert slow_part(pattern) is None
