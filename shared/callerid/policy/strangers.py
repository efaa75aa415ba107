"""Whether a pattern of the policy lets strangers in: at what everybody uses it must say whose it is.

Subjects of shared issuers begin with their owner, or are ids that tell nobody's; addresses end in their domain.
"""

from __future__ import annotations

import re

from callerid.names import arn, github, glob
from callerid.policy.book import GOOGLE
from callerid.policy.identity import keys
from callerid.policy.model import Caller, Identity
from callerid.policy.shape import Shape

_STRANGERS = (
    "repo:stranger/strange:ref:refs/heads/main",
    "repo:stranger/strange:environment:production",
    "repo:stranger/strange:pull_request",
    "project_path:stranger/strange:ref_type:branch:ref:main",
    "organization:stranger:project:strange:workspace:w:run_phase:apply",
    "us-east-1:00000000-0000-4000-8000-000000000000",
    "stranger@stranger.example.net",
    "principal://iam.googleapis.com/projects/999999999999/locations/global/workloadIdentityPools/x/subject/x",
    "principal://iam.googleapis.com/locations/global/workforcePools/x/subject/x",
    "strange.svc.id.goog[strange/strange]",
    "999999999999",
)
"""Subjects of people whom no policy can mean: an entry that matches one matches everybody."""
_OWNERS = {
    "agent.buildkite.com": r"organization:[^:]+:",
    "app.terraform.io": r"organization:[^:]+:",
    "gitlab.com": r"project_path:[^/:]+/",
    "oidc.vercel.com": r"owner:[^:]+:",
}
"""Issuers that everybody can have subjects of, and how such a subject begins with its owner."""
_OWNERLESS = (GOOGLE, "graph.facebook.com", "www.amazon.com")
"""Issuers whose subjects are ids, which no beginning makes anybody's."""
_MAILBOXES = (
    "gmail.com", "googlemail.com", "appspot.gserviceaccount.com", "developer.gserviceaccount.com",
)  # fmt: skip
"""Domains of addresses that everybody, or every project, can have."""
_COGNITO = "cognito-identity.amazonaws.com"


def refuse(caller: Caller, identity: Identity, shape: Shape) -> None:
    """Refuse a pattern that lets in somebody of an issuer that others use too, whom nobody can have meant."""
    for key in keys(identity):
        if glob.is_glob(key.issuer):
            shape.blame(identity, f"{key.issuer!r}: a pattern can't stand for an issuer, provider or cluster")
            return
        if not glob.is_glob(key.value):
            continue
        if _is_cognito(identity):
            if any(reach.audience is None for reach in caller.may_reach):
                wanted = "name whom you mean, or the identity pool as audience of each may_reach"
                shape.blame(identity, f"{key.value!r} would match everybody of a shared issuer; {wanted}")
            return
        if _is_open(identity, key.value):
            shape.blame(identity, f"{key.value!r} would match everybody of a shared issuer; name whom you mean")
            return


def _is_cognito(identity: Identity) -> bool:
    """Tell Cognito's issuer, whose subjects are ids: whose they are is said by the audience, the identity pool."""
    return identity.oidc is not None and arn.issuer_of(identity.oidc.issuer) == _COGNITO


def _is_open(identity: Identity, pattern: str) -> bool:
    """Tell a pattern that strangers can come under: one that leaves the owner, domain, project or pool open."""
    prefix = glob.literal_prefix(pattern)
    issuer = arn.issuer_of(identity.oidc.issuer) if identity.oidc else ""
    if github.is_issuer(issuer):
        return re.match(r"repo:[^/@]+[/@]", prefix) is None
    if issuer in _OWNERS or issuer in _OWNERLESS:
        return issuer in _OWNERLESS or re.match(_OWNERS[issuer], prefix) is None
    if identity.google_user or identity.email:
        domain = pattern.rpartition("@")[2]
        return glob.is_glob(domain) or domain in _MAILBOXES
    if identity.principal:
        return "/subject/" not in prefix and re.search(r"/resources/[^/]+/projects/[^/]+/", prefix) is None
    if identity.gke:
        return ".id.goog[" not in prefix
    return any(glob.matches(pattern, stranger) for stranger in _STRANGERS)
