"""What IAM holds of a project, by its REST API: pools, providers and service accounts. Nothing is written.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools
https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/getIamPolicy
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import google.auth
import google.auth.transport.requests
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from requests.exceptions import RequestException

from callerid.drift.denied import NoAccessError
from callerid.drift.pools import Provider
from callerid.drift.providers import Project, ServiceAccount

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_SECONDS = 30.0
_POOLS, _PROVIDERS = "iam.workloadIdentityPools.list", "iam.workloadIdentityPoolProviders.list"
_ACCOUNTS, _POLICY = "iam.serviceAccounts.list", "iam.serviceAccounts.getIamPolicy"
_OK, _DENIED = 200, (401, 403)


def read(project: str) -> Project:
    """Return what IAM holds of a project.

    Raises:
        NoAccessError: where something may not be read; it names the permission.
    """
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        session = google.auth.transport.requests.AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        return Project(project, list(_providers(session, project)), list(_accounts(session, project)))
    except DefaultCredentialsError as error:
        raise NoAccessError("no credentials: gcloud auth application-default login") from error
    except (GoogleAuthError, RequestException) as error:
        raise NoAccessError(f"Google Cloud can't be asked: {type(error).__name__}") from error


def _providers(session: Any, project: str) -> Iterator[Provider]:
    place = f"projects/{quote(project, safe='')}/locations/global/workloadIdentityPools"
    for pool in _pages(session, place, "workloadIdentityPools", _POOLS):
        name = str(pool.get("name", ""))
        for one in _pages(session, f"{name}/providers", "workloadIdentityPoolProviders", _PROVIDERS):
            yield _provider(one, is_off=bool(pool.get("disabled")) or pool.get("state") == "DELETED")


def _provider(one: dict[str, Any], *, is_off: bool) -> Provider:
    kind = next((kind for kind in ("aws", "oidc", "saml") if isinstance(one.get(kind), dict)), "x509")
    held = one.get(kind)
    settings: dict[str, Any] = held if isinstance(held, dict) else {}
    issuer = str(settings.get("issuerUri") or settings.get("accountId") or "").removeprefix("https://").rstrip("/")
    mapping = one.get("attributeMapping")
    return Provider(
        name=str(one.get("name", "")),
        kind=kind,
        issuer=issuer,
        mapping={str(key): str(value) for key, value in mapping.items()} if isinstance(mapping, dict) else {},
        condition=str(one.get("attributeCondition") or ""),
        disabled=is_off or bool(one.get("disabled")) or one.get("state") == "DELETED",
    )


def _accounts(session: Any, project: str) -> Iterator[ServiceAccount]:
    for one in _pages(session, f"projects/{quote(project, safe='')}/serviceAccounts", "accounts", _ACCOUNTS):
        email = str(one.get("email", ""))
        path = f"projects/-/serviceAccounts/{quote(email, safe='@')}:getIamPolicy?options.requestedPolicyVersion=3"
        bindings = _answer(session.post(_url(path), timeout=_TIMEOUT_SECONDS), _POLICY).get("bindings")
        yield ServiceAccount(email, [held for held in bindings or () if isinstance(held, dict)])


def _pages(session: Any, path: str, key: str, permission: str) -> Iterator[dict[str, Any]]:
    wanted = {"pageSize": "100"}
    while True:
        page = _answer(session.get(_url(path), params=wanted, timeout=_TIMEOUT_SECONDS), permission)
        yield from (one for one in page.get(key) or () if isinstance(one, dict))
        if not page.get("nextPageToken"):
            return
        wanted["pageToken"] = str(page["nextPageToken"])


def _url(path: str) -> str:
    return f"{os.environ.get('CALLERID_IAM_API', 'https://iam.googleapis.com')}/v1/{path}"


def _answer(response: Any, permission: str) -> dict[str, Any]:
    if response.status_code in _DENIED:
        raise NoAccessError(f"Google Cloud refuses {permission}: give this permission to who runs drift")
    try:
        found = response.json() if response.status_code == _OK else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NoAccessError(f"Google Cloud's answer to {permission} is none: HTTP {response.status_code}")
    return found
