"""For books made at random, the policies that ``enforce`` prints show no drift."""

from datetime import UTC, datetime

from hypothesis import given, settings

from callerid.drift import providers
from callerid.drift.compare import Sort
from callerid.drift.pools import Provider
from callerid.drift.providers import Project, ServiceAccount
from callerid.drift.roles import Account, Role, compare
from callerid.drift.trust import Request, Trust
from callerid.enforce import aws, gcp
from callerid.names import arn
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests.enforce.clouds import _actions, _known, iam_allows
from tests.enforce.test_generated import ACCOUNT, GITHUB, ROLE, TODAY, at_aws, books, judged

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
PROVIDERS = {f"arn:aws:iam::111111111111:oidc-provider/{GITHUB}": ("sts.amazonaws.com", "x")}


def account(policy: dict | None) -> Account:
    return Account("111111111111", [Role(ROLE, policy)] if policy else [], PROVIDERS)


def printed(book: Book) -> dict | None:
    found = [piece.policy for piece in aws.plan(book, TODAY).pieces if piece.kind == "trust-policy"]
    return found[0] if found else None


@settings(deadline=None, max_examples=30)
@given(books())
def test_the_printed_trust_policies_show_no_drift(text):
    book = Book(parse(text.encode(), "made"), "x")
    policy = printed(book)
    if policy is None:
        return
    found = compare(account(policy), book, now=NOW, given={}).found
    assert [one for one in found if one.sort is not Sort.UNUSED] == [], policy


@settings(deadline=None, max_examples=30)
@given(books())
def test_the_printed_conditions_and_bindings_show_no_drift(text):
    book = Book(parse(text.encode(), "made"), "x")
    pieces = gcp.plan(book, TODAY).pieces
    held = []
    for piece in pieces:
        if piece.kind == "provider":
            kind, issuer = ("aws", "222222222222") if piece.target.endswith("/aws") else ("oidc", GITHUB)
            mapping = piece.policy.get("attributeMapping", {})
            held.append(Provider(piece.target, kind, issuer, mapping, piece.policy["attributeCondition"], False))
    accounts = [ServiceAccount(ACCOUNT, piece.policy["bindings"]) for piece in pieces if piece.target == ACCOUNT]
    found = providers.compare(Project("p", held, accounts), book, now=NOW).found
    assert found == [], pieces


@settings(deadline=None)
@given(books(), at_aws())
def test_the_evaluator_agrees_with_an_independent_one(text, value):
    book = Book(parse(text.encode(), "made"), "x")
    policy = printed(book)
    if policy is None:
        return
    access = judged(value, book).access
    trust, shown = Trust(policy), _known(access, value)
    known = {**dict.fromkeys(trust.keys()), **{key.lower(): (text,) for key, text in shown.items()}}
    name = access.provider or arn.role_arn(access.principal) or access.principal
    form = "Federated" if access.provider else "AWS"
    request = Request(form, (name,), arn.account_of(name), tuple(_actions(access, value, shown)), known)
    assert trust.admits(request).truth is iam_allows(policy, access, value)
