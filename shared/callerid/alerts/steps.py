"""What to do next: two or three short steps for whoever was woken up. What a reason means stands elsewhere.

First how to tell whether it is expected, then what to do if it is, then how to stop it if it is not.
"""

from __future__ import annotations

from callerid.access import Cloud, Kind
from callerid.alerts.describe import caller, is_denied
from callerid.judgement import Line
from callerid.ledger.alert import Alert

_ASK_ABOUT_CALLER = "Ask the target's owner whether this caller is new."
_ASK_OWNER = "Ask the caller's owner, named above, whether this is meant."
_ASK_ORIGIN = "Ask whom the session began with, named above, whether this is meant."
_FOLLOW = "Follow the chain of roles back to who began it."
_ASK_WHO = "Find who made the call by its time and session; the record does not say."
_ASK_NAMED = "Ask the caller, named above, why it came without the name that is required of it."
_COMPARE = "Compare the two names: somebody speaks for somebody else, or a mapping is wrong."
_WHOLE_RECORD = "Open the whole record: this copy may be abridged."

_CHECKS = {
    "subject-missing": "Find the sign-in in the identity provider's log by its time: the token named nobody.",
    "subject-transient": "Find the sign-in in the identity provider's log by its time: its NameID changes each time.",
    "principal-missing": _WHOLE_RECORD,
    "identity-type-unknown": "Look the type up on CloudTrail's page on userIdentity: it may be newer than callerid.",
    "origin-missing": "List the account's keys and the workloads that it is attached to.",
    "service-account-key": "Find who has the key: whoever has the file is the account.",
    "source-identity-missing": _ASK_WHO,
    "session-name-missing": _WHOLE_RECORD,
    "session-name-generic": _ASK_WHO,
    "subject-unlisted": _ASK_ABOUT_CALLER,
    "principal-unlisted": _ASK_ABOUT_CALLER,
    "principal-id-unlisted": "Find the same call in the caller's own account: there it shows an ARN.",
    "account-unlisted": "Find whose account it is: a new one of ours, a vendor's, a stranger's.",
    "root-session-unlisted": "Ask now who administers root access whether this was announced.",
    "federation-token-by-root": "Ask who used the root user: nothing does so routinely.",
    "provider-unlisted": "Find who made this provider, and when: it decides who may enter.",
    "provider-unexpected": "Ask the caller's owner, named above, whether it moved to this provider.",
    "target-unexpected": _ASK_OWNER,
    "audience-unexpected": _ASK_OWNER,
    "caller-expired": "Ask the caller's owner, named above, whether the entry is to be renewed.",
    "time-missing": _WHOLE_RECORD,
    "subject-recycled": "Compare the owner's and repository's ids: somebody else may have the name now.",
    "pull-request-subject": "Open the workflow's run: anybody who can open a pull request can start it.",
    "pod-token-off-node": "Find the machine behind the call: a pod's token has left its node.",
    "subject-mismatch": _COMPARE,
    "mapped-principal-mismatch": "Read the provider's attribute mapping: it gave this caller another's name.",
    "source-identity-mismatch": _COMPARE,
    "source-identity-unlisted": "Ask who uses this name: nobody in the caller book does.",
    "source-identity-changed": "Follow the chain of roles back to where the source identity changed.",
    "source-identity-appeared": _FOLLOW,
    "source-identity-dropped": _FOLLOW,
    "session-name-mismatch": _COMPARE,
    "session-name-unlisted": "Ask who uses this name: nobody in the caller book does.",
    "session-name-contradicts": _COMPARE,
    "role-claim-missing": "Ask the identity provider's owner why the token does not name the role.",
}  # fmt: skip
_EXPECTED = {
    "subject-missing": "have the provider fill the subject, then list it.",
    "subject-transient": "have the provider send a persistent NameID, then list it.",
    "principal-missing": "deliver whole records, then list who shows in them.",
    "identity-type-unknown": "update callerid.",
    "origin-missing": "give the workload an account of its own, or set the requirement to `warn`.",
    "service-account-key": "move the workload to federation; until then set the requirement to `warn`.",
    "source-identity-missing": "have the caller set one; until then set the requirement to `warn`.",
    "session-name-missing": "deliver whole records.",
    "session-name-generic": "have the caller set one; until then set the requirement to `warn`.",
    "federation-token-by-root": "move the work to a role; no entry makes this expected.",
    "caller-expired": "set a new `expires` by pull request.",
    "time-missing": "deliver whole records.",
    "subject-mismatch": "no entry settles this; the identity provider must.",
    "mapped-principal-mismatch": "set the mapping right; no entry settles this.",
    "source-identity-mismatch": "have the caller set its own name.",
    "source-identity-changed": "have the chained call leave it out: AWS carries the first one on.",
    "source-identity-appeared": "have the first session of the chain set it.",
    "source-identity-dropped": "deliver whole records: AWS itself carries it on.",
    "session-name-mismatch": "have the caller set its own name.",
    "session-name-contradicts": "have the caller set one name in both.",
    "role-claim-missing": "have the token name the role.",
}
_WITHOUT_ENTRY = {
    "target-unexpected": "add the target to the caller's entry by pull request.",
    "provider-unexpected": "add the provider to the caller's entry by pull request.",
    "audience-unexpected": "add the audience to the caller's entry by pull request.",
    "principal-id-unlisted": "add the id beside the caller's ARN by pull request.",
    "account-unlisted": "add the account to `aws_accounts`, or an entry for the vendor, by pull request.",
}
_ADD = "add the lines below to the caller book by pull request."
_LIST = "add the caller to the caller book by pull request."

_STOP_POD = "delete the pod's association, then revoke the role's active sessions."
_STOPS_OF_REASON = {
    "identity-type-unknown": "run `aws cloudtrail validate-logs` for the day; the record may not be AWS's.",
    "origin-missing": "disable the account if neither explains it.",
    "federation-token-by-root": "delete the root user's access keys, change its password; the token ends in an hour.",
    "pod-token-off-node": _STOP_POD,
}
_STOPS_OF_PROVIDER = {
    Cloud.AWS: "delete the provider (or disable the trust anchor), then revoke the role's active sessions.",
    Cloud.GCP: "disable the provider; to end its live tokens too, the whole pool, with all who come through it.",
}
"""AWS knows no disabled OIDC or SAML provider; at Google a disabled pool alone ends the tokens that are out.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools
"""
_STOPS = {
    # https://docs.aws.amazon.com/singlesignon/latest/userguide/revoke-user-permissions.html
    Kind.IDENTITY_CENTER: "deny the user by an SCP, then take its assignments away; AWS lets nobody edit this role.",
    Kind.ROOT_SESSION: "take `sts:AssumeRoot` from the caller and read what the account did since.",
    Kind.FEDERATION_TOKEN: "deny the user everything by a policy (that binds the token too), then disable its keys.",
    Kind.OUTBOUND_TOKEN: "take `sts:GetWebIdentityToken` from the caller; what it got stays valid until it expires.",
    Kind.TOKEN_EXCHANGE: "narrow the provider's attribute condition; what was exchanged is valid for up to an hour.",
    Kind.WORKFORCE_SIGN_IN: "narrow the provider's attribute condition; end the user's sessions at the provider.",
    Kind.IMPERSONATION: "take the caller's binding off the service account; if it can't wait, disable the account.",
    Kind.DELEGATED_USE: "take the caller's binding off the service account; if it can't wait, disable the account.",
    Kind.DIRECT_USE: "take the principal's binding off the resource.",
    Kind.KEY_USE: "disable the key, search what it did, delete it.",
}
_STOP_AWS = "narrow the role's trust policy, then revoke its active sessions."
_STOP_GCP = "take the caller's binding away."


def steps(alert: Alert, *, has_entry: bool) -> list[str]:
    """Return what to do, as sentences of mrkdwn of our own; ``has_entry`` where an entry to paste is shown."""
    expected = _EXPECTED.get(alert.rule) or (_ADD if has_entry else _WITHOUT_ENTRY.get(alert.rule, _LIST))
    if is_denied(alert):
        return [
            "Nobody got in: the cloud refused it.",
            f"*Expected:* {expected}",
            "*Not expected:* nothing to close. A first success would be an alert of its own.",
        ]
    check = _CHECKS.get(alert.rule, _ASK_ABOUT_CALLER)
    if alert.began and (alert.drift is not None or check in (_ASK_WHO, _FOLLOW)):
        check = _ASK_ORIGIN
    elif check is _ASK_WHO and caller(alert).name:
        check = _ASK_NAMED
    stop = _STOPS_OF_REASON.get(alert.rule) or _stop(alert.line, alert.rule)
    return [check, f"*Expected:* {expected}", f"*Not expected:* {stop}"]


def _stop(line: Line, rule: str) -> str:
    if rule == "provider-unlisted":
        by_provider = _STOPS_OF_PROVIDER[Cloud.AWS if line.cloud == Cloud.AWS else Cloud.GCP]
        return _STOP_POD if line.kind is Kind.POD_IDENTITY else by_provider
    by_cloud = _STOP_AWS if line.cloud == Cloud.AWS else _STOP_GCP
    return _STOPS.get(line.kind, by_cloud) if line.kind else by_cloud
