"""Findings as OCSF Detection Findings (class 2004), one JSON object a line, as of schema 1.5.0.

https://schema.ocsf.io/1.5.0/classes/detection_finding with the profile ``cloud``. Security Lake and most SIEMs
take them as they are. What has no place in the schema stands in ``unmapped``, as the JSON of the judgement has it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from callerid import __version__, moment
from callerid.access import Cloud, Outcome
from callerid.explanations import explanation
from callerid.judgement import FINDINGS, Line, Severity, Verdict
from callerid.names.printable import inert
from callerid.reasons import REASONS

VERSION = "1.5.0"
CLASS, CATEGORY, CREATE = 2004, 2, 1
_SEVERITIES = {severity: number for number, severity in enumerate(Severity, start=1)}
"""OCSF counts from 1, informational, to 5, critical."""
_NEW = 1
_RULE = 1
"""The type of the analytic that found it: a rule."""
_SUSPICIOUS = 4
_PROVIDERS = {Cloud.AWS: "AWS", Cloud.GCP: "GCP"}
_ACCOUNTS = {Cloud.AWS: (10, "AWS Account"), Cloud.GCP: (5, "GCP Account")}
_UNMAPPED = (
    "schema", "policy", "verdict", "kind", "caller", "principal", "subject", "provider", "audience", "session_name",
    "source_identity", "delegation", "outcome", "error", "source",
)  # fmt: skip


class Ocsf:
    """A line of JSON for each finding, and none for other judgements; made at ``now``, in seconds since 1970."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._decode = msgspec.json.Decoder(Line).decode

    def begin(self) -> bytes:
        """Return nothing: every line stands for itself."""
        return b""

    def take(self, line: bytes, /) -> bytes:
        """Return a finding's line."""
        found = self._decode(line)
        if found.verdict not in FINDINGS:
            return b""
        return inert(msgspec.json.encode(_present(finding(found, self._now)))) + b"\n"

    def end(self, verdicts: Counter[Verdict], /) -> bytes:  # noqa: ARG002  # another format's totals
        """Return nothing."""
        return b""


def finding(line: Line, now: float) -> dict[str, Any]:
    """Return a judgement as an OCSF Detection Finding; what is absent is None."""
    event = round(moment.epoch(line.time) * 1000) if line.time else None
    made = int(now * 1000)
    title = _title(line)
    return {
        "activity_id": CREATE,
        "activity_name": "Create",
        "category_name": "Findings",
        "category_uid": CATEGORY,
        "class_name": "Detection Finding",
        "class_uid": CLASS,
        "type_name": "Detection Finding: Create",
        "type_uid": CLASS * 100 + CREATE,
        "time": made,
        "start_time": event,
        "end_time": event,
        "severity": line.severity.capitalize(),
        "severity_id": _SEVERITIES[Severity(line.severity)],
        "status": "New",
        "status_id": _NEW,
        "message": title,
        "metadata": {
            "event_code": rule(line),
            "product": {"name": "callerid", "vendor_name": "callerid", "version": __version__},
            "profiles": ["cloud"],
            "uid": line.record_id,
            "correlation_uid": line.access_id,
            "version": VERSION,
        },
        "finding_info": _info(line, title, event, made),
        "cloud": _cloud(line),
        "resources": _resources(line),
        "evidences": [{"data": _evidence(line), "verdict_id": _SUSPICIOUS}],
        "remediation": _remediation(line),
        "unmapped": {name: getattr(line, name) for name in _UNMAPPED},
    }


def _title(line: Line) -> str:
    """Return what happened in one line, without a name that a caller chose."""
    denied = ", denied" if line.outcome == Outcome.DENIED else ""
    kind = (line.kind or "call").replace("-", " ")
    return f"{line.verdict.capitalize()} caller ({kind}{denied}): {REASONS[rule(line)].why}"


def rule(line: Line) -> str:
    """Return the code of the gravest reason that decides the verdict; every finding has one."""
    deciding = [code for code in line.reasons if REASONS[code].verdict == line.verdict]
    return max(deciding, key=lambda code: REASONS[code].severity.rank)


def _info(line: Line, title: str, event: int | None, made: int) -> dict[str, Any]:
    code = rule(line)
    return {
        "analytic": {"name": code, "uid": code, "type": "Rule", "type_id": _RULE},
        "created_time": made,
        "data_sources": ["CloudTrail" if line.cloud == Cloud.AWS else "Cloud Audit Logs"],
        "desc": "; ".join(REASONS[code].why for code in line.reasons),
        "first_seen_time": event,
        "last_seen_time": event,
        "title": title,
        "types": list(line.reasons),
        "uid": f"callerid:{line.record_id}",
    }


def _cloud(line: Line) -> dict[str, Any]:
    cloud = Cloud(line.cloud) if line.cloud else None
    number, word = _ACCOUNTS[cloud] if cloud else (0, "Unknown")
    account = {"name": line.account, "uid": line.account, "type": word, "type_id": number} if line.account else None
    return {"provider": _PROVIDERS[cloud] if cloud else "Unknown", "region": line.region, "account": account}


def _resources(line: Line) -> list[dict[str, Any]] | None:
    """Return what was reached."""
    if line.target is None:
        return None
    kind = "IAM role" if line.cloud == Cloud.AWS else "service account" if "@" in line.target else "resource"
    return [{"uid": line.target, "name": line.target, "type": kind, "region": line.region}]


def _evidence(line: Line) -> dict[str, Any]:
    shown = {name: getattr(line, name) for name in ("principal", "subject", "provider", "session_name", "target")}
    return {name: value for name, value in shown.items() if value is not None} | {"source": line.source}


def _remediation(line: Line) -> dict[str, Any]:
    """Return how to fix the reason that decides."""
    texts = explanation(rule(line))
    return {"desc": f"{texts.fix}\n\n{texts.refuse}"}


def _present(value: Any) -> Any:
    """Return JSON without what is absent: the schema has no null."""
    if isinstance(value, dict):
        return {name: _present(held) for name, held in value.items() if held is not None}
    return [_present(held) for held in value] if isinstance(value, (list, tuple)) else value
