"""What Google Cloud is set to, from the audit logs to the function: one line for each thing that has to be so.

Names are those of ``terraform/``. Nothing is changed; docs/doctor.md lists the permissions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec import Struct

from callerid.doctor import audit, push, sink
from callerid.doctor.check import AbsentError, Finding, State, UnknownError, broken, ok, run, unknown, warning
from callerid.doctor.gcp_api import Google

_AGAIN = "terraform apply."


class _Id(Struct):
    type: str
    id: str


class _Ancestor(Struct, rename="camel"):
    resource_id: _Id


class _Ancestry(Struct):
    ancestor: list[_Ancestor]


class _Folder(Struct):
    parent: str


def examine(google: Google, project: str, name: str, *, scope: str | None, now: float) -> list[Finding]:
    """Return everything that there is to say of a deployment.

    ``project`` is where it runs, ``scope`` whose entries are judged (``projects/…``, ``folders/…`` or
    ``organizations/…``), None where that is to be found out. ``now`` is in seconds since 1970.
    """
    topic = f"projects/{project}/topics/{name}"
    found: list[Finding] = []
    own = _lineage(google, f"projects/{project}", found)
    where, shown = _sink(google, [scope] if scope else own, name, found)
    above = own[own.index(where) :] if where in own else _lineage(google, where, found)
    policies = {resource: _policy(google, resource) for resource in dict.fromkeys((*above, *own))}
    found += run("audit logs", partial(audit.examine, policies, above))
    found += _organization(above, where, found)
    if shown is not None:
        found += run("sink", partial(sink.examine, shown, where, topic))
        of_topic = {resource: policies[resource] for resource in own}
        found += run("sink's writer", partial(sink.writer, google, shown, topic, of_topic), absent=_AGAIN)
    return found + _function(google, project, name, topic, now)


def _function(google: Google, project: str, name: str, topic: str, now: float) -> list[Finding]:
    functions: list[push.Function] = []

    def look() -> Iterator[Finding]:
        functions.append(push.function(google, project, name))
        yield from push.examine(functions[0])

    found = run("function", look, absent=_AGAIN)
    url = functions[0].service_config.uri if functions else ""
    for shown in functions:
        found += run("function's callers", partial(push.invoker, google, project, shown, name), absent=_AGAIN)
        found += run("function answers", partial(push.called, google, project, shown, name, now=now), absent=_AGAIN)
    look_at = partial(push.examine_subscription, google, project, name, topic, url)
    found += run("subscription", look_at, absent=_AGAIN)
    return found + run("backlog", partial(push.backlog, google, project, name, now=now), absent=_AGAIN)


def _lineage(google: Google, resource: str, found: list[Finding]) -> list[str]:
    """Return a resource and everything above it, upwards; as far as it can be seen, and say where it can't."""
    lineage = [resource]

    def look() -> Iterator[Finding]:
        while True:
            above = list(_above(google, lineage[-1]))
            lineage.extend(above)
            if not above or not above[-1].startswith("folders/"):
                break
        yield ok("ancestry", " in ".join(lineage))

    found += run("ancestry", look, absent="Is --project the project's id?")
    return lineage


def _above(google: Google, resource: str) -> list[str]:
    kind, _, number = resource.partition("/")
    match kind:
        case "projects":
            path, permission = f"v1/projects/{number}:getAncestry", f"resourcemanager.projects.get on {resource}"
            ancestry = google.ask("cloudresourcemanager", path, _Ancestry, permission, body={}).ancestor
            return [f"{one.resource_id.type}s/{one.resource_id.id}" for one in ancestry[1:]]
        case "folders":
            permission = f"resourcemanager.folders.get on {resource}"
            return [google.ask("cloudresourcemanager", f"v3/{resource}", _Folder, permission).parent]
        case _:
            return []


def _sink(google: Google, where: list[str], name: str, found: list[Finding]) -> tuple[str, sink.Sink | None]:
    """Return the resource that has the sink, with the sink; the first one where none has."""
    refused: UnknownError | None = None
    for resource in where:
        try:
            return resource, sink.get(google, resource, name)
        except AbsentError:
            continue
        except UnknownError as error:
            refused = refused or error
    if refused is not None:
        found.append(unknown("sink", f"not seen; {refused}", refused.to_do))
    else:
        to_do = f"{_AGAIN} Where it is elsewhere: --scope."
        found.append(broken("sink", f"there is no sink {name} at {', '.join(where)}", to_do))
    return where[0], None


def _policy(google: Google, resource: str) -> audit.Policy | UnknownError:
    try:
        return audit.policy(google, resource)
    except UnknownError as error:
        return error
    except AbsentError as error:
        return UnknownError(f"{resource}: {error}", "It was named a moment ago: try again.")


def _organization(above: list[str], where: str, found: list[Finding]) -> list[Finding]:
    """Return whether the organization's own log is judged, which alone has workforce sign-ins."""
    what, top = "organization's log", above[-1]
    if where.startswith("organizations/"):
        return [ok(what, f"{where} is judged whole")]
    if top.startswith("organizations/"):
        to_do = f'Where you have a workforce pool: scope = {{ organization = "{top.partition("/")[2]}" }} in Terraform.'
        return [warning(what, f"is not judged: workforce sign-ins are logged at {top} alone", to_do)]
    if any(finding.what == "ancestry" and finding.state is not State.OK for finding in found):
        return []  # said there: what is above is not known
    return [ok(what, "there is none")]
