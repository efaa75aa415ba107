"""The log sink: whether it takes what is judged, and whether it can write it to the topic.

A sink that can't write loses entries silently.
https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.sinks
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from callerid.doctor.audit import Binding, Policies, Policy
from callerid.doctor.check import Finding, UnknownError, broken, ok, unknown, warning
from callerid.doctor.gcp_api import Google

CLAUSES = (
    'log_id("cloudaudit.googleapis.com/data_access")',
    'log_id("cloudaudit.googleapis.com/activity")',
    'protoPayload.serviceName="sts.googleapis.com"',
    "ExchangeToken",
    'protoPayload.serviceName="iamcredentials.googleapis.com"',
    "GenerateAccessToken",
    "GenerateIdToken",
    "SignBlob",
    "SignJwt",
    'protoPayload.serviceName="iam.googleapis.com"',
    "WorkloadIdentityPool",
    r"\.(SignBlob|SignJwt)$",
    'protoPayload.authenticationInfo.principalSubject=~"^(//)?principal://',
    'serviceAccountDelegationInfo.principalSubject=~"^(//)?principal://',
    'serviceAccountDelegationInfo.firstPartyPrincipal.principalEmail=~"^(//)?principal://',
)
"""What Terraform's filter has, and what no filter that does its work can be without."""
LEFT_OUT = 5
"""``AND NOT`` in Terraform's filter: the function's own calls, with two exceptions, and those of its callers."""
_PUBLISH = ("roles/pubsub.publisher", "roles/pubsub.editor", "roles/pubsub.admin", "roles/editor", "roles/owner")
_AGAIN = "terraform apply."


class Exclusion(Struct):
    """What a sink leaves out."""

    name: str = ""
    disabled: bool = False


class Sink(Struct, rename="camel"):
    """A sink as Cloud Logging shows it; what is absent is false or empty."""

    destination: str = ""
    filter: str = ""
    disabled: bool = False
    include_children: bool = False
    writer_identity: str = ""
    exclusions: list[Exclusion] = []


def get(google: Google, resource: str, name: str) -> Sink:
    """Return a sink.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`.
    """
    return google.ask("logging", f"v2/{resource}/sinks/{name}", Sink, f"logging.sinks.get on {resource}")


def examine(shown: Sink, resource: str, topic: str) -> Iterator[Finding]:
    """Yield how it is with a sink of a resource; ``topic`` is what it must write to."""
    what = f"sink at {resource}"
    faults = list(_faults(shown, what, topic))
    if not resource.startswith("projects/") and not shown.include_children:
        faults.append(broken(what, "does not include the projects below", f"include_children: {_AGAIN}"))
    yield from faults or [ok(what, "on, takes what is judged, and writes to the topic")]


def _faults(shown: Sink, what: str, topic: str) -> Iterator[Finding]:
    if shown.disabled:
        yield broken(what, "is switched off", _AGAIN)
    if shown.destination != f"pubsub.googleapis.com/{topic}":
        yield broken(what, f"writes to {shown.destination or 'nothing'}, expected {topic}", _AGAIN)
    missing = [clause for clause in CLAUSES if clause not in _code(shown.filter)]
    if not shown.filter.strip():
        yield warning(what, "has no filter: everything is judged, the function's own calls among it", _AGAIN)
    elif missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        yield broken(what, f"its filter lacks {missing[0]}{more}", _AGAIN)
    elif _code(shown.filter).count("AND NOT") > LEFT_OUT:
        yield warning(what, "its filter leaves out more than Terraform's does", "Compare it with filter.tftpl.")
    if names := [exclusion.name for exclusion in shown.exclusions if not exclusion.disabled]:
        yield warning(what, f"leaves out what {', '.join(names)} say", "Take the exclusions away, or know why not.")


def _code(text: str) -> str:
    """Return a filter without its comments."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def writer(google: Google, shown: Sink, topic: str, policies: Policies) -> Iterator[Finding]:
    """Yield whether the sink's writer may publish: by a role on the topic, or on the topic's project or above.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`.
    """
    what = "sink's writer"
    if not shown.writer_identity:
        yield broken(what, "the sink has none", _AGAIN)
        return
    permission = f"pubsub.topics.getIamPolicy on {topic}"
    on_topic = google.ask("pubsub", f"v1/{topic}:getIamPolicy", Policy, permission)
    above = [found for found in policies.values() if isinstance(found, Policy)]
    held = [binding for found in (on_topic, *above) for binding in _of(found.bindings, shown.writer_identity)]
    if any(binding.role in _PUBLISH and binding.condition is None for binding in held):
        yield ok(what, f"{shown.writer_identity} may publish to {topic}")
    elif odd := [binding.role for binding in held if binding.role in _PUBLISH or "/roles/" in binding.role]:
        found = f"{shown.writer_identity} has {odd[0]}, of your own making or under a condition"
        yield unknown(what, found, "Does it let it publish? roles/pubsub.publisher on the topic does.")
    elif unread := [found for found in policies.values() if isinstance(found, UnknownError)]:
        yield unknown(what, f"no right to publish on the topic itself; above it: {unread[0]}", unread[0].to_do)
    else:
        yield broken(what, f"{shown.writer_identity} may not publish to {topic}: entries are lost", _AGAIN)


def _of(bindings: Sequence[Binding], member: str) -> list[Binding]:
    return [binding for binding in bindings if member in binding.members]
