"""Events of CloudTrail, S3 and the canary as EventBridge delivers them."""

import json
import re
import subprocess
import sys
from typing import Any

from tests.aws_function.conftest import REGION
from tests.conftest import ROOT

API_CALL = "AWS API Call via CloudTrail"
SERVICE_EVENT = "AWS Service Event via CloudTrail"
SIGN_IN = "AWS Console Sign In via CloudTrail"
EKS, ANYWHERE = "pods.eks.amazonaws.com", "rolesanywhere.amazonaws.com"
PAGE = (ROOT / "docs" / "aws.md").read_text()


def event(service: str, call: str, *, kind: str = API_CALL, source: str | None = None, **detail: Any) -> dict:
    """A record in its envelope."""
    return {
        "version": "0",
        "id": "00000000-0000-4000-8000-000000000001",
        "detail-type": kind,
        "source": source or f"aws.{service}",
        "account": "111111111111",
        "time": "2026-11-02T03:04:05Z",
        "region": REGION,
        "resources": [],
        "detail": {
            "eventSource": f"{service}.amazonaws.com",
            "eventName": call,
            "eventTime": "2026-11-02T03:04:05Z",
            "eventID": "00000000-0000-4000-8000-000000000002",
            "recipientAccountId": "111111111111",
            **detail,
        },
    }


def by(kind: str | None = None, **identity: Any) -> dict:
    """Who calls."""
    return {"userIdentity": {"type": kind, **identity} if kind else identity}


def in_session(role: str | None) -> dict:
    """A call inside a role's session."""
    issuer = {"sessionIssuer": {"type": "Role", "arn": role}} if role else {}
    return event("s3", "ListBuckets", **by("AssumedRole", sessionContext=issuer), readOnly=True)


def created(key: str, *, bucket: str = "my-trail", source: str = "aws.s3") -> dict:
    """S3's word that there is a new object."""
    detail = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}, "reason": "PutObject"}
    return {"detail-type": "Object Created", "source": source, "detail": detail}


def canary() -> dict:
    """The event that the documentation's command sends."""
    (script,) = re.findall(r"<<'END'\n(.*?)\n +END", PAGE, re.DOTALL)
    program = re.sub(r"^ {3}", "", script, flags=re.MULTILINE)
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    (entry,) = json.loads(run.stdout)
    return {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}


JUDGED = {
    "web identity": event("sts", "AssumeRoleWithWebIdentity", **by("WebIdentityUser", userName="sub")),
    "web identity, denied": event(
        "sts", "AssumeRoleWithWebIdentity", **by("WebIdentityUser"), errorCode="AccessDenied"
    ),
    "saml": event("sts", "AssumeRoleWithSAML", **by("SAMLUser")),
    "a user": event("sts", "AssumeRole", **by("IAMUser", userName="work_api")),
    "a role, chained": event("sts", "AssumeRole", **by("AssumedRole")),
    "another account": event("sts", "AssumeRole", **by("AWSAccount", accountId="333333333333")),
    "a user by the console": event("sts", "AssumeRole", **by("IAMUser", invokedBy="AWS Internal")),
    "no type": event("sts", "AssumeRole", **by(accountId="111111111111")),
    "no identity": event("sts", "AssumeRole"),
    "a type not known yet": event("sts", "AssumeRole", **by("NewKindOfUser")),
    "a pod": event("sts", "AssumeRole", **by("AWSService", invokedBy=EKS)),
    "a pod, no type": event("sts", "AssumeRole", **by(invokedBy=EKS)),
    "a certificate's half at STS": event("sts", "AssumeRole", **by("AWSService", invokedBy=ANYWHERE)),
    "root session": event("sts", "AssumeRoot", **by("AssumedRole")),
    "federation token": event("sts", "GetFederationToken", **by("IAMUser")),
    "outbound token": event("sts", "GetWebIdentityToken", **by("AssumedRole")),
    "switch role": event("signin", "SwitchRole", kind=SIGN_IN, **by("AssumedRole")),
    "switch role, the guide's spelling": event("signin", "SwitchRole", kind="AWS Console Signin via CloudTrail"),
    "portal": event("sso", "GetRoleCredentials", kind=SERVICE_EVENT, **by("IdentityCenterUser")),
    "a certificate": event("rolesanywhere", "CreateSession", **by("AWSService", invokedBy=ANYWHERE)),
    "a certificate, a service event": event("rolesanywhere", "CreateSession", kind=SERVICE_EVENT),
    "a pod's token": event("eks-auth", "AssumeRoleForPodIdentity", source="aws.eks", **by("AssumedRole")),
}
SERVICES_THEMSELVES = {
    f"{name} for itself": event("sts", "AssumeRole", **by("AWSService", invokedBy=f"{name}.amazonaws.com"))
    for name in ("ec2", "lambda", "eks", "config")
}
PASSED_BY = {
    **SERVICES_THEMSELVES,
    "who am I": event("sts", "GetCallerIdentity", **by("AssumedRole")),
    "session token": event("sts", "GetSessionToken", **by("IAMUser")),
    "an object read": event("s3", "GetObject", **by("AssumedRole")),
    "s3express's session": event("s3express", "CreateSession", source="aws.s3", **by("AssumedRole")),
    "cloudshell's session": event("cloudshell", "CreateSession", **by("AssumedRole")),
    "the portal's list": event("sso", "ListAccounts", kind=SERVICE_EVENT, **by("IdentityCenterUser")),
    "console sign-in": event("signin", "ConsoleLogin", kind=SIGN_IN, **by("IAMUser")),
    "an insight": event("sts", "AssumeRoleWithSAML", kind="AWS Insight via CloudTrail"),
    "forged, of a source of its own": event("sts", "AssumeRoleWithSAML", source="my.app", **by("SAMLUser")),
}
