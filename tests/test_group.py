"""What a person reads as one row, and that a log cannot make it read as another's."""

import pytest

from callerid.access import Access, Cloud, Kind
from callerid.group import group_of, origin
from callerid.judgement import Judgement, Verdict


@pytest.mark.parametrize(
    ("provider", "shown"),
    [
        ("accounts.google.com", "accounts.google.com"),
        ("arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com", "token.actions.githubusercontent.com"),
        (
            "arn:aws:iam::111111111111:oidc-provider/evil.example.com/x:oidc-provider/accounts.google.com",
            "evil.example.com/x:oidc-provider/accounts.google.com",
        ),
        ("arn:aws:iam::111111111111:saml-provider/corporate", "arn:aws:iam::111111111111:saml-provider/corporate"),
    ],
)  # fmt: skip
def test_an_issuer_is_shown_as_the_judge_reads_it(provider, shown):
    assert origin(Access(cloud=Cloud.AWS, kind=Kind.WEB_IDENTITY, provider=provider)) == shown


def test_sessions_of_one_role_are_one_row():
    rows = {
        group_of(Judgement(Verdict.UNEXPECTED, Access(cloud=Cloud.GCP, kind=Kind.TOKEN_EXCHANGE, subject=subject)))
        for subject in (f"arn:aws:sts::111111111111:assumed-role/batch/{name}" for name in ("a", "b"))
    }
    assert len(rows) == 1
