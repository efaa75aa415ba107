"""The canary of each cloud: a record whose caller is in no policy, so that it must become a finding."""

from __future__ import annotations

from typing import Any

from callerid.moment import at

CALLER = "callerid-canary"
ACCOUNT = "111111111111"
"""Nobody's: the template lets a canary pass for this account alone. In the ledger it is no log that was heard."""
PROJECT = "callerid-canary"
"""Nobody's either: a canary in the name of a real project would look like its log."""
_PROVIDER = "canary.example.com"


def canary(event_id: str, now: float) -> dict[str, Any]:
    """Return the event that the template's CanaryRule lets pass, and nothing else that came that way."""
    return {
        "version": "0", "id": event_id, "account": ACCOUNT, "time": at(now), "region": "us-east-1", "resources": [],
        "source": "callerid.canary",
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {
            "eventVersion": "1.11", "eventID": f"{CALLER}-{event_id}", "eventTime": at(now),
            "eventSource": "sts.amazonaws.com", "eventName": "AssumeRoleWithWebIdentity", "eventType": "AwsApiCall",
            "awsRegion": "us-east-1", "recipientAccountId": ACCOUNT, "sourceIPAddress": "192.0.2.1",
            "userIdentity": {
                "type": "WebIdentityUser", "principalId": f"{_PROVIDER}:canary:{CALLER}",
                "userName": CALLER, "identityProvider": _PROVIDER,
            },
            "requestParameters": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{CALLER}", "roleSessionName": "canary"},
            "responseElements": {
                "subjectFromWebIdentityToken": CALLER, "audience": "canary", "provider": _PROVIDER,
            },
        },
    }  # fmt: skip


def canary_entry(event_id: str, now: float) -> dict[str, Any]:
    """Return a log entry of a token exchange in a project, at a pool and by a caller that there are not."""
    pool = f"projects/000000000000/locations/global/workloadIdentityPools/{CALLER}"
    method = "google.identity.sts.v1.SecurityTokenService.ExchangeToken"
    return {
        "insertId": event_id,
        "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": at(now),
        "severity": "INFO",
        "resource": {
            "type": "audited_resource",
            "labels": {"method": method, "project_id": PROJECT, "service": "sts.googleapis.com"},
        },
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalSubject": CALLER},
            "metadata": {"mapped_principal": f"principal://iam.googleapis.com/{pool}/subject/{CALLER}"},
            "methodName": method,
            "resourceName": f"{pool}/providers/canary",
            "serviceName": "sts.googleapis.com",
            "status": {},
        },
    }
