"""What folds into one message, and that no name which a caller chooses makes it another's."""

import pytest
from msgspec.structs import replace

from callerid.access import Access, Cloud, Kind, Outcome
from callerid.finding import caller_class, detail, key, rule
from callerid.judgement import Judgement, Owner, Verdict

GITHUB = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
ACCESS = Access(
    cloud=Cloud.AWS,
    kind=Kind.WEB_IDENTITY,
    account="111111111111",
    subject="repo:acme/app:ref:refs/heads/main",
    provider=GITHUB,
    target="arn:aws:iam::111111111111:role/deploy",
    session_name="run-1",
)


def told(verdict: Verdict = Verdict.UNEXPECTED, *reasons: str, caller: Owner | None = None, **fields) -> Judgement:
    return Judgement(verdict, replace(ACCESS, **fields), reasons or ("subject-unlisted",), caller=caller)


def test_a_finding_keeps_its_key_from_release_to_release():
    """Another key would tell every open finding anew."""
    assert key(told()) == "6963cb662f86e60fd3ec"


@pytest.mark.parametrize(
    "fields",
    [{"session_name": "run-2"}, {"subject": "repo:acme/app:ref:refs/heads/try"}, {"error": "x"}, {"audience": "x"}],
)
def test_what_differs_from_run_to_run_folds(fields):
    assert key(told(**fields)) == key(told())


@pytest.mark.parametrize(
    "other",
    [
        told(cloud=Cloud.GCP),
        told(kind=Kind.SAML),
        told(account="222222222222"),
        told(Verdict.UNEXPECTED, "target-unexpected"),
        told(Verdict.ANONYMOUS, "subject-missing"),
        told(subject="repo:acme/app:environment:production"),
        told(caller=Owner("release", "web@example.com")),
        told(provider="gitlab.com"),
        told(target="arn:aws:iam::111111111111:role/other"),
        told(outcome=Outcome.DENIED),
    ],
)
def test_what_a_person_must_tell_apart_does_not(other):
    assert key(other) != key(told())


def test_no_name_reaches_into_the_next_part_of_a_key():
    assert key(told(subject="ab", provider="c")) != key(told(subject="a", provider="bc"))


def test_the_key_of_the_other_answer_is_that_of_the_same_finding_with_it():
    assert key(told(), Outcome.DENIED) == key(told(outcome=Outcome.DENIED))


def test_the_gravest_of_the_reasons_that_decide_is_the_rule():
    assert rule(told(Verdict.UNEXPECTED, "audience-unexpected", "provider-unlisted")) == "provider-unlisted"
    assert rule(told(Verdict.ANONYMOUS, "session-name-missing", "provider-unlisted")) == "session-name-missing"
    assert rule(told(Verdict.IDENTIFIED, "trust-drift")) == "trust-drift"


def test_the_nameless_are_one_class_wherever_their_sessions_are_called_differently():
    nameless = told(Verdict.ANONYMOUS, "subject-missing", subject="x", principal="y")
    assert caller_class(nameless) == ("", "token.actions.githubusercontent.com")


def test_of_two_copies_the_one_that_names_its_caller_is_the_fuller():
    own = replace(ACCESS, provider=None, subject=None, principal="arn:aws:iam::111111111111:user/u")
    other = replace(own, principal="111111111111:AIDAEXAMPLEEXAMPLE001", source_identity="u", audience="x")
    assert detail(own) > detail(other) > detail(replace(other, source_identity=None))
