"""The closed set of reasons: each a stable code with its severity and what it decides.

A judgement lists codes of this table alone. ``verdict`` is what a reason decides by itself; where several
apply, :class:`~callerid.judgement.Verdict`'s order speaks. A reason without a verdict only adds to what is
known. The long texts (how it looks in a log, how to fix it) stand in ``reasons.toml``, which judging never reads.
"""

from __future__ import annotations

from typing import NamedTuple

from callerid.judgement import Severity, Verdict


class Reason(NamedTuple):
    """One way in which an access can fall short, or one thing worth knowing about it."""

    code: str
    severity: Severity
    verdict: Verdict | None
    why: str
    """What a table or a message says: a clause about the access, in plain words."""


_INFO, _LOW, _MEDIUM, _HIGH, _CRITICAL = Severity
_ANONYMOUS, _UNEXPECTED = Verdict.ANONYMOUS, Verdict.UNEXPECTED
_WITHHELD, _UNREADABLE = Verdict.UNATTRIBUTABLE, Verdict.UNREADABLE

_TABLE = (
    # Nobody is named.
    Reason("subject-missing", _HIGH, _ANONYMOUS, "the token's subject is missing"),
    Reason("subject-transient", _MEDIUM, _ANONYMOUS, "the SAML subject is transient: another one at every sign-in"),
    Reason("principal-missing", _HIGH, _ANONYMOUS, "the record names no principal"),
    Reason("identity-type-unknown", _HIGH, _ANONYMOUS, "the identity type is none that callerid knows"),
    Reason("origin-missing", _MEDIUM, _ANONYMOUS, "nothing shows who is behind the service account"),
    Reason("service-account-key", _HIGH, _ANONYMOUS, "a service account key was used where an origin must show"),
    Reason("source-identity-missing", _MEDIUM, _ANONYMOUS, "the required source identity is missing"),
    Reason("session-name-missing", _MEDIUM, _ANONYMOUS, "the required session name is missing"),
    Reason("session-name-generic", _MEDIUM, _ANONYMOUS, "the session name is one that a tool makes up"),
    # Somebody is named whom nobody expected.
    Reason("subject-unlisted", _HIGH, _UNEXPECTED, "the subject is not in the caller book"),
    Reason("principal-unlisted", _HIGH, _UNEXPECTED, "the principal is not in the caller book"),
    Reason("principal-id-unlisted", _MEDIUM, _UNEXPECTED, "only a unique id shows, and no entry has it"),
    Reason("account-unlisted", _HIGH, _UNEXPECTED, "the caller's account is neither ours nor in the caller book"),
    Reason("root-session-unlisted", _CRITICAL, _UNEXPECTED, "a root session by a caller who is not listed for it"),
    Reason("federation-token-by-root", _HIGH, _UNEXPECTED, "the root user asked for a federation token"),
    Reason("provider-unlisted", _CRITICAL, _UNEXPECTED, "no entry of the caller book comes through this provider"),
    Reason("provider-unexpected", _HIGH, _UNEXPECTED, "the caller is known, but not through this provider"),
    Reason("target-unexpected", _HIGH, _UNEXPECTED, "the caller is known, but may not reach this target"),
    Reason("audience-unexpected", _HIGH, _UNEXPECTED, "the caller is known, but not for this audience"),
    Reason("caller-expired", _MEDIUM, _UNEXPECTED, "the caller's entry had expired"),
    Reason("time-missing", _MEDIUM, _UNEXPECTED, "the entry expires and the record shows no time"),
    Reason("subject-recycled", _HIGH, _UNEXPECTED, "the repository's name is right and its pinned ids are not"),
    Reason("pull-request-subject", _HIGH, _UNEXPECTED, "a pull request's workflow came under a wildcard"),
    Reason("pod-token-off-node", _HIGH, _UNEXPECTED, "a pod's token was used by something that is no node"),
    # Somebody is named in two ways that do not agree.
    Reason("subject-mismatch", _HIGH, _UNEXPECTED, "the answer names another subject than the request"),
    Reason("mapped-principal-mismatch", _HIGH, _UNEXPECTED, "the mapped principal is another than the subject"),
    Reason("source-identity-mismatch", _HIGH, _UNEXPECTED, "the source identity is another than the policy asks for"),
    Reason("source-identity-unlisted", _HIGH, _UNEXPECTED, "the source identity names nobody in the caller book"),
    Reason("source-identity-changed", _HIGH, _UNEXPECTED, "the source identity changed along the chain"),
    Reason("source-identity-appeared", _MEDIUM, _UNEXPECTED, "a source identity appeared along the chain"),
    Reason("source-identity-dropped", _MEDIUM, _UNEXPECTED, "the source identity vanished along the chain"),
    Reason("session-name-mismatch", _HIGH, _UNEXPECTED, "the session name is another than the policy asks for"),
    Reason("session-name-unlisted", _HIGH, _UNEXPECTED, "the session name names nobody in the caller book"),
    Reason("session-name-contradicts", _HIGH, _UNEXPECTED, "session name and source identity name two callers"),
    Reason("role-claim-missing", _MEDIUM, _UNEXPECTED, "the token does not itself name the role"),
    # The cloud withholds the name.
    Reason("caller-redacted", _LOW, _WITHHELD, "the cloud redacts the caller of a denied call"),
    Reason("origin-not-logged", _LOW, _WITHHELD, "this service does not log who used the account"),
    Reason("session-tags-off", _LOW, _WITHHELD, "the pod's session tags are switched off"),
    Reason("service-forwarded", _INFO, _WITHHELD, "a service passed the call on without the source identity"),
    Reason("trust-anchor-not-logged", _INFO, _WITHHELD, "this copy shows no trust anchor, CreateSession does"),
    # Worth knowing; the verdict stands.
    Reason("principal-unmapped", _LOW, None, "the exchange succeeded without a mapped principal"),
    Reason("trust-drift", _LOW, None, "the caller is listed and the cloud denied it"),
    Reason("set-source-identity-denied", _LOW, None, "the caller may not set a source identity"),
    Reason("self-assumption-implicit", _LOW, None, "the role assumed itself without being named in its trust policy"),
    Reason("federation-token-by-user", _LOW, None, "an IAM user asked for a federation token"),
    Reason("signed-as-account", _LOW, None, "the caller had something signed with the account's key"),
    Reason("entry-wide", _LOW, None, "the entry that matched is open to every workflow of a repository or owner"),
    Reason("thumbprint-verified", _INFO, None, "a public issuer was verified by its thumbprint alone"),
    Reason("certificate-expiring", _INFO, None, "a certificate of the provider expires within 30 days"),
    Reason("instance-metadata-v1", _INFO, None, "the instance's credentials came over metadata service version 1"),
    # Not a record.
    Reason("gzip-damaged", _LOW, _UNREADABLE, "the gzip data ends early or is damaged"),
    Reason("json-damaged", _LOW, _UNREADABLE, "the JSON ends early or is damaged"),
    Reason("not-a-log", _LOW, _UNREADABLE, "neither CloudTrail nor a Google Cloud log entry"),
    Reason("record-malformed", _LOW, _UNREADABLE, "a record of a wrong shape"),
    Reason("too-large", _LOW, _UNREADABLE, "larger than callerid unpacks"),
    Reason("file-unreadable", _LOW, _UNREADABLE, "the file cannot be read"),
)  # fmt: skip

REASONS = {reason.code: reason for reason in _TABLE}
"""Every reason by its code, in the order in which the documentation lists them."""
