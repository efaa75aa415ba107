"""Who there is in the corpus: the accounts, the ten callers of the book, and those whom nobody listed.

The generator, the policies and the peers read the same constants, so that their counts can agree.
"""

from __future__ import annotations

from typing import Any

ACCOUNT = "111111111111"
OTHER_ACCOUNT = "222222222222"
FOREIGN_ACCOUNT = "333333333333"
PROJECT = "acme-data"
_POOLS = "projects/123456789012/locations/global/workloadIdentityPools"
AWS_POOL, GITHUB_POOL = f"{_POOLS}/aws-pool", f"{_POOLS}/github-pool"
AWS_PROVIDER, GITHUB_PROVIDER = f"{AWS_POOL}/providers/aws", f"{GITHUB_POOL}/providers/github"
GITHUB = "token.actions.githubusercontent.com"
STS_AUDIENCE = "sts.amazonaws.com"
SAML_PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"


def role(name: str, account: str = ACCOUNT) -> str:
    """Return a role's ARN."""
    return f"arn:aws:iam::{account}:role/{name}"


def service_account(name: str) -> str:
    """Return the e-mail address of a service account of the project."""
    return f"{name}@{PROJECT}.iam.gserviceaccount.com"


EXPORT_ROLE, CATALOG_ROLE = role("crosscloud-export"), role("crosscloud-catalog")
DEPLOY_ROLE, DOCS_ROLE, ANALYST_ROLE = role("deploy"), role("docs-publish"), role("analyst")
SOURCE_IDENTITY_ROLE = role("tenant-data")
"""Its sessions must carry a source identity (enforce)."""
SESSION_NAME_ROLE = role("ops")
"""Its sessions should be named after their caller (warn)."""
TARGET_ACCOUNT, RELEASE_ACCOUNT = service_account("cc-target"), service_account("cc-release")
ORIGIN_ACCOUNT = service_account("reports")
"""Its calls should show who is behind them (warn)."""

EXPORT_ID, MIRROR_ID, CATALOG_ID = ("100000000000000000001", "100000000000000000002", "100000000000000000003")
RELEASE_SUBJECT = "repo:acme/app:environment:production"
BUILD_SUBJECTS = "repo:acme/app-12:ref:refs/tags/*"
DOCS_SUBJECT = "repo:acme/docs:ref:refs/heads/main"
ANALYST = "analyst@example.com"
WORK_API_ID = "AIDAEXAMPLEEXAMPLE001"
UNLISTED_IDS = ("100000000000000000901", "100000000000000000902")
UNLISTED_SUBJECTS = ("repo:acme/lab:ref:refs/heads/main", "repo:acme/app:pull_request")
SOURCE_IDENTITIES = ("work_api", "batch", "loader")


def _caller(name: str, identity: dict[str, Any], *may_reach: dict[str, Any], **more: str) -> dict[str, Any]:
    owner = f"{name.replace('_', '-')}-team@example.com"
    return {"name": name, "owner": owner, **more, "identities": [identity], "may_reach": list(may_reach)}


def _google(unique_id: str, name: str) -> dict[str, Any]:
    return {"google_service_account": unique_id, "email": service_account(name)}


def _github(subject: str) -> dict[str, Any]:
    return {"oidc": {"issuer": GITHUB, "subject": subject}}


_DEPLOY = {"aws_role": DEPLOY_ROLE, "audience": STS_AUDIENCE}
_TARGET = {"service_account": TARGET_ACCOUNT, "provider": AWS_PROVIDER}
_DATA = {"aws_role": SOURCE_IDENTITY_ROLE}

CALLERS: tuple[dict[str, Any], ...] = (
    _caller("nightly-export", _google(EXPORT_ID, "export"), {"aws_role": EXPORT_ROLE, "oaud": "crosscloud-export"}),
    _caller("mirror", _google(MIRROR_ID, "mirror"), {"aws_role": EXPORT_ROLE, "oaud": "crosscloud-export"}),
    _caller("catalog", _google(CATALOG_ID, "catalog"), {"aws_role": CATALOG_ROLE}, expires="2027-03-31"),
    _caller(
        "release",
        _github(RELEASE_SUBJECT),
        _DEPLOY,
        {"service_account": RELEASE_ACCOUNT, "provider": GITHUB_PROVIDER},
    ),
    _caller("app-builds", _github(BUILD_SUBJECTS), _DEPLOY),
    _caller(
        "docs",
        _github(DOCS_SUBJECT),
        {"aws_role": DOCS_ROLE, "audience": STS_AUDIENCE},
        {"resource": "projects/_/buckets/acme-docs*", "provider": GITHUB_PROVIDER},
    ),
    _caller("batch", {"aws_role": role("batch")}, _TARGET, _DATA),
    _caller("loader", {"aws_role": role("loader")}, _TARGET, _DATA),
    _caller(
        "work_api",
        {"iam_user": f"arn:aws:iam::{ACCOUNT}:user/work_api", "unique_id": WORK_API_ID},
        _DATA,
    ),
    _caller("analyst", {"saml": {"provider": SAML_PROVIDER, "subject": ANALYST}}, {"aws_role": ANALYST_ROLE}),
)
"""The caller book's entries that the corpus uses. One expires, as in any real book."""

REQUIREMENTS: tuple[dict[str, Any], ...] = (
    {"roles": SOURCE_IDENTITY_ROLE, "source_identity": {"mode": "enforce", "equals": "caller"}},
    {"roles": SESSION_NAME_ROLE, "session_name": {"mode": "warn", "equals": "caller"}},
    {"service_accounts": ORIGIN_ACCOUNT, "origin": {"mode": "warn"}},
)
