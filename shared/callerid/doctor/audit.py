"""Whether Google Cloud writes the logs that are judged, and of whom it does not.

Exchanges are logged by ``ADMIN_READ`` of sts, impersonations by ``ADMIN_READ`` of iam; that of iamcredentials alone
does nothing. What a resource and everything above it set adds up, and so do the exempted members.
https://cloud.google.com/logging/docs/audit/configure-data-access
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from callerid.doctor.check import Finding, UnknownError, broken, ok, unknown, warning
from callerid.doctor.gcp_api import Google

_LOGS = {"sts.googleapis.com": "token exchanges", "iam.googleapis.com": "impersonations"}
_SEEN = ("allServices", "iamcredentials.googleapis.com", *_LOGS)
_READ = "ADMIN_READ"
_SHOWN = 5


class LogConfig(Struct, rename="camel"):
    """One log type of a service."""

    log_type: str = ""
    exempted_members: list[str] = []


class AuditConfig(Struct, rename="camel"):
    """What is logged of a service."""

    service: str = ""
    audit_log_configs: list[LogConfig] = []


class Condition(Struct):
    """What a binding may depend on."""

    title: str = ""


class Binding(Struct):
    """Who has a role."""

    role: str = ""
    members: list[str] = []
    condition: Condition | None = None


class Policy(Struct, rename="camel"):
    """The allow policy of a resource."""

    audit_configs: list[AuditConfig] = []
    bindings: list[Binding] = []


Policies = Mapping[str, Policy | UnknownError]
"""By resource (``projects/…``, ``folders/…``, ``organizations/…``); an error where it could not be read."""


def policy(google: Google, resource: str) -> Policy:
    """Return a resource's policy.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`.
    """
    permission = f"resourcemanager.{resource.partition('/')[0]}.getIamPolicy on {resource}"
    body = {"options": {"requestedPolicyVersion": 3}}
    return google.ask("cloudresourcemanager", f"v3/{resource}:getIamPolicy", Policy, permission, body=body)


def examine(policies: Policies, scope: Sequence[str]) -> Iterator[Finding]:
    """Yield whether both services are logged in a scope, and who is exempted; ``scope`` and what is above it, upwards.

    Exemptions are looked for in every policy, also below the scope: there, too, they are holes.
    """
    unread = [found for found in policies.values() if isinstance(found, UnknownError)]
    for service, what in _LOGS.items():
        yield _service(service, what, policies, scope)
    exempted = sorted({who for resource, found in policies.items() for who in _exempted(resource, found)})
    if exempted:
        more = f" and {len(exempted) - _SHOWN} more" if len(exempted) > _SHOWN else ""
        names = f"{', '.join(exempted[:_SHOWN])}{more}: neither logged nor judged"
        yield warning("exempted members", names, "Take them out of the audit configuration, or know why not.")
    elif not unread:
        yield ok("exempted members", "none")
    if unread:
        yield unknown("exempted members", f"not everywhere to be seen: {unread[0]}", unread[0].to_do)


def _service(service: str, what: str, policies: Policies, scope: Sequence[str]) -> Finding:
    unread: UnknownError | None = None
    for resource in scope:
        match policies[resource]:
            case UnknownError() as error:
                unread = unread or error
            case Policy(audit_configs=configs):
                for config in configs:
                    types = [log.log_type for log in config.audit_log_configs]
                    if config.service in (service, "allServices") and _READ in types:
                        return ok(f"audit logs of {service}", f"{_READ} is on at {resource} ({config.service})")
    if unread is not None:
        return unknown(f"audit logs of {service}", f"not on where it could be read; {unread}", unread.to_do)
    to_do = f"Switch {_READ} on at {scope[0]}: `audit_logs` of Terraform, or where you manage them."
    return broken(f"audit logs of {service}", f"{_READ} is off, so {what} are not logged", to_do)


def _exempted(resource: str, found: Policy | UnknownError) -> Iterator[str]:
    for config in found.audit_configs if isinstance(found, Policy) else ():
        if config.service in _SEEN:
            for log in config.audit_log_configs:
                yield from (f"{member} at {resource}" for member in log.exempted_members)
