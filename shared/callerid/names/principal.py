"""Google's principal identifiers, in every spelling that the audit logs use.

After a token exchange a federated identity is ``principal://iam.googleapis.com/POOL/subject/VALUE``, where
POOL is ``projects/NUMBER/locations/global/workloadIdentityPools/ID`` or
``locations/global/workforcePools/ID``. VALUE may hold ``/`` and ``:`` unescaped, so it is everything after
the *first* ``/subject/``. A workload of GKE has two spellings, which :func:`gke_of` makes one; its pool ends
in ``.svc.id.goog``, that of an old fleet in ``.hub.id.goog``.

https://cloud.google.com/iam/docs/principal-identifiers
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

ISSUER = "accounts.google.com"
"""The issuer of the tokens of Google's service accounts and users."""

_PRINCIPAL = re.compile(r"(?://)?principal://iam\.googleapis\.com/(.+?)/subjects?/(.+)", re.DOTALL)
_GKE_POOL = re.compile(r"projects/[^/]+/locations/global/workloadIdentityPools/([^/]+\.(?:svc|hub)\.id\.goog)")
_GKE_SUBJECT = re.compile(r"ns/([^/]+)/sa/([^/]+)")
_GKE_LEGACY = re.compile(r"(?:serviceAccount:)?([^/\[]+\.(?:svc|hub)\.id\.goog)\[(.+)\]", re.DOTALL)
_PROVIDER = re.compile(
    r"(projects/[^/]+/locations/global/workloadIdentityPools/[^/]+|locations/global/workforcePools/[^/]+)"
    r"(?:/providers/[^/]+)?"
)
_SERVICE_AGENT = re.compile(
    r"service-(?:org-|folder-|[ofp])?[0-9]+@(?:gcp-sa-[a-z0-9-]+|compute-system|container-engine-robot"
    r"|containerregistry|gcf-admin-robot|serverless-robot-prod|gs-project-accounts|dataflow-service-producer-prod"
    r"|dataproc-accounts|cloudcomposer-accounts|gcp-gae-service|sourcerepo-service-accounts|cloud-tpu"
    r"|(?:cloud-ml|gae-api-prod|genomics-api)\.google\.com)\.iam\.gserviceaccount\.com"
    r"|project-[0-9]+@storage-transfer-service\.iam\.gserviceaccount\.com"
    r"|[0-9]+@cloudservices\.gserviceaccount\.com"
)
"""Only projects of Google's own: ``service-NUMBER`` is a legal account name in anybody's project. Not Cloud Build's
account, as which builds run.

https://cloud.google.com/iam/docs/service-agents
"""


class PoolPrincipal(NamedTuple):
    """One identity of a workload or workforce identity pool."""

    pool: str
    subject: str


@lru_cache(maxsize=4096)
def parse(text: str) -> PoolPrincipal | None:
    """Return pool and subject of a ``principal://`` identifier, or None where it is none.

    >>> parse("principal://iam.googleapis.com/locations/global/workforcePools/p/subject/a/b").subject
    'a/b'
    """
    found = _PRINCIPAL.fullmatch(text)
    return PoolPrincipal(found[1], found[2]) if found else None


def is_principal(text: str | None) -> bool:
    """Tell a ``principal://`` identifier of any kind, also one that names no subject."""
    return text is not None and text.removeprefix("//").startswith("principal://")


def canonical(text: str) -> str:
    """Return the one spelling under which an identifier is compared."""
    found = parse(text)
    if found is None:
        return text.removeprefix("//")
    return f"principal://iam.googleapis.com/{found.pool}/subject/{found.subject}"


def gke_of(text: str | None) -> str | None:
    """Return ``PROJECT.svc.id.goog[NAMESPACE/ACCOUNT]`` for either spelling of a GKE workload, else None."""
    if text is None:
        return None
    legacy = _GKE_LEGACY.fullmatch(text)
    if legacy:
        return f"{legacy[1]}[{legacy[2]}]"
    found = parse(text)
    pool = _GKE_POOL.fullmatch(found.pool) if found else None
    subject = _GKE_SUBJECT.fullmatch(found.subject) if found else None
    return f"{pool[1]}[{subject[1]}/{subject[2]}]" if pool and subject else None


def pool_of(provider: str | None) -> str | None:
    """Return the pool of a provider's or a pool's resource name, else None."""
    found = _PROVIDER.fullmatch(provider.removeprefix("//iam.googleapis.com/")) if provider else None
    return found[1] if found else None


def is_service_account(email: str | None) -> bool:
    """Tell a service account's e-mail address from a person's."""
    return email is not None and email.endswith(".gserviceaccount.com")


def is_service_agent(email: str | None) -> bool:
    """Tell Google's own service agents, which occur as benign hops of a delegation chain."""
    return email is not None and _SERVICE_AGENT.fullmatch(email) is not None
