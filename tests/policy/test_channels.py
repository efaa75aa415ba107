"""A finding goes to the first channel whose conditions all hold, and none goes nowhere."""

import itertools

import pytest

from callerid.judgement import Severity
from callerid.policy.book import Book
from callerid.policy.load import parse

POLICY = """
version: 1
channels:
  - {channel: "#web-urgent", owners: web@example.com, at_least: high, mention: S0123456789}
  - {channel: "#web", owners: [web@example.com, "*@web.example.com"]}
  - {channel: "#production", accounts: ["111111111111", my-gcp-project], at_least: medium}
  - {channel: "#anybody-known", owners: "?*", accounts: "222222222222"}
  - {channel: "#rest"}
"""
BOOK = Book(parse(POLICY.encode(), "policy"), "sha256:x")

ROUTES = {
    "all conditions of the first hold": (("web@example.com", "111111111111", Severity.HIGH), "#web-urgent"),
    "graver is at least as grave": (("web@example.com", None, Severity.CRITICAL), "#web-urgent"),
    "one condition does not hold": (("web@example.com", "111111111111", Severity.MEDIUM), "#web"),
    "any of the list": (("ops@web.example.com", None, Severity.LOW), "#web"),
    "an owner that only looks like it": (("web@example.com.example.net", None, Severity.HIGH), "#rest"),
    "the account's own": ((None, "111111111111", Severity.MEDIUM), "#production"),
    "a project": (("ops@example.com", "my-gcp-project", Severity.HIGH), "#production"),
    "not grave enough": ((None, "my-gcp-project", Severity.LOW), "#rest"),
    "another account": ((None, "111111111112", Severity.CRITICAL), "#rest"),
    "nobody's owner meets no pattern": ((None, "222222222222", Severity.HIGH), "#rest"),
    "nor does an empty one": (("", "222222222222", Severity.HIGH), "#rest"),
    "somebody's does": (("x", "222222222222", Severity.HIGH), "#anybody-known"),
    "nothing is known": ((None, None, Severity.INFORMATIONAL), "#rest"),
}


@pytest.mark.parametrize("name", ROUTES)
def test_a_finding_goes_to_the_first_channel_whose_conditions_hold(name):
    asked, channel = ROUTES[name]
    assert BOOK.channel(*asked).channel == channel


def test_no_finding_goes_nowhere():
    owners, accounts = ("web@example.com", "", None), ("111111111111", "x", None)
    for asked in itertools.product(owners, accounts, Severity):
        assert BOOK.channel(*asked) is not None


def test_the_rule_says_whom_to_mention():
    assert BOOK.channel("web@example.com", None, Severity.HIGH).mention == "S0123456789"
    assert BOOK.channel(None, None, Severity.HIGH).mention is None


def test_a_policy_without_channels_leaves_it_to_the_default():
    assert Book(parse(b"version: 1\n", "policy"), "x").channel(None, None, Severity.HIGH) is None
