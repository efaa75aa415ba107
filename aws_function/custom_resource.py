"""CloudFormation's question whether a policy is good: a deployment with a faulty one fails, and names the faults.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

from callerid.policy.fault import PolicyError
from callerid.policy.load import parse
from callerid.policy.remote import PolicySettingError, fetcher

_LONGEST_REASON = 2000
"""An answer may have 4,096 bytes."""
_TIMEOUT_SECONDS = 10


def answer(event: dict[str, Any], package: Path, log_stream: str) -> None:
    """Check the policy that a custom resource names, and put the answer where CloudFormation waits for it."""
    properties = event.get("ResourceProperties", {})
    physical = f"policy-{hashlib.sha256(json.dumps(properties, sort_keys=True).encode()).hexdigest()[:16]}"
    known = event.get("PhysicalResourceId")
    is_rollback = event.get("RequestType") == "Update" and physical == known
    faults = None if event.get("RequestType") == "Delete" or is_rollback else _faults(properties, package)
    _put(
        event["ResponseURL"],
        {
            "Status": "FAILED" if faults else "SUCCESS",
            "Reason": faults or f"see {log_stream}",
            # a refused update keeps the id of what was accepted before, by which its rollback is known
            "PhysicalResourceId": known if known and (faults or event.get("RequestType") == "Delete") else physical,
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
        },
    )


def _faults(properties: dict[str, Any], package: Path) -> str | None:
    """Return what is wrong with a policy, None where nothing is."""
    try:
        parse(fetcher(str(properties.get("Policy")), package)(), "policy")
    except (PolicyError, PolicySettingError) as error:
        return str(error)[:_LONGEST_REASON]
    except Exception as error:  # noqa: BLE001  # whatever a cloud's client raises; the deployment must be answered
        return f"the policy cannot be fetched: {type(error).__name__}: {error}"[:_LONGEST_REASON]
    return None


def _put(url: str, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310  # CloudFormation's own address
        return
