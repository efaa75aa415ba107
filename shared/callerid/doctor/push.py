"""From the topic to the function: the subscription, what waits in it, the function and who may call it.

Nobody but Pub/Sub and Cloud Scheduler can reach the function, so that it answers is read off the scheduler's last call.
https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions
https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from callerid.doctor.audit import Policy
from callerid.doctor.check import AbsentError, Finding, UnknownError, broken, ok, unknown, warning
from callerid.doctor.gcp_api import Google
from callerid.moment import at, epoch, utc

_OLD_SECONDS = 900
"""Five attempts take a quarter of an hour; what is older is stuck."""
_QUIET_SECONDS = 300
"""The schedule is every minute, and an attempt may take three."""
_WINDOW_SECONDS = 3_600
_AGAIN = "terraform apply."


class Function(Struct, rename="camel"):
    """A function: which region it is in stands in its name."""

    class Service(Struct, rename="camel", frozen=True):
        """The Cloud Run service that it is."""

        uri: str = ""
        service: str = ""

    name: str
    state: str = ""
    service_config: Service = Service()

    @property
    def location(self) -> str:
        """Return the region."""
        return self.name.split("/")[3]


class Functions(Struct, rename="camel"):
    """A page of functions, and where Google could not look."""

    functions: list[Function] = []
    unreachable: list[str] = []
    next_page_token: str = ""


class Subscription(Struct, rename="camel"):
    """A subscription; what is absent is false or empty."""

    class Push(Struct, rename="camel", frozen=True):
        """Where to."""

        class Token(Struct, rename="camel"):
            """As whom."""

            service_account_email: str = ""

        push_endpoint: str = ""
        oidc_token: Token | None = None

    class DeadLetters(Struct, rename="camel"):
        """Where what failed goes; that there is such a place is all that is looked at."""

    topic: str = ""
    state: str = ""
    detached: bool = False
    filter: str = ""
    push_config: Push = Push()
    dead_letter_policy: DeadLetters | None = None


class Job(Struct, rename="camel"):
    """A job of Cloud Scheduler, and how its last attempt ended."""

    class Status(Struct, frozen=True):
        """A code of google.rpc; 0 is success."""

        code: int = 0

    state: str = ""
    last_attempt_time: str = ""
    status: Status = Status()


class Point(Struct):
    """One figure; Cloud Monitoring gives whole numbers as text."""

    class Value(Struct, rename="camel", frozen=True):
        """It."""

        int64_value: str = "0"

    value: Value = Value()


class Series(Struct):
    """Figures of one resource, the latest first."""

    points: list[Point] = []


class Figures(Struct, rename="camel"):
    """What was measured."""

    time_series: list[Series] = []


def function(google: Google, project: str, name: str) -> Function:
    """Return the function, in whatever region it is.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`; the latter also where there is none, the former where it
            may be in a region that Google could not look in.
    """
    page, unreachable = "", list[str]()
    while True:
        more = {"pageToken": page} if page else {}
        path, permission = f"v2/projects/{project}/locations/-/functions", "cloudfunctions.functions.list"
        answer = google.ask("cloudfunctions", path, Functions, permission, **more)
        for shown in answer.functions:
            if shown.name.rpartition("/")[2] == name:
                return shown
        unreachable += answer.unreachable
        page = answer.next_page_token
        if not page:
            if unreachable:
                found = f"no function {name} where Google could look, which was not {', '.join(unreachable)}"
                raise UnknownError(found, "Try again when these regions answer.")
            raise AbsentError(f"there is no function {name} in {project}")


def examine(shown: Function) -> Iterator[Finding]:
    """Yield how it is with the function."""
    if shown.state == "ACTIVE":
        yield ok("function", f"active in {shown.location}")
    else:
        yield broken("function", f"is {shown.state.lower() or 'without a state'}", "Read its build log.")


def called(google: Google, project: str, shown: Function, name: str, *, now: float) -> Iterator[Finding]:
    """Yield whether the scheduler's last call reached the function.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`.
    """
    what = "function answers"
    path = f"v1/projects/{project}/locations/{shown.location}/jobs/{name}-deliver"
    job = google.ask("cloudscheduler", path, Job, "cloudscheduler.jobs.get")
    last = utc(job.last_attempt_time) if job.last_attempt_time else None
    if job.state != "ENABLED":
        yield broken(what, f"its schedule is {job.state.lower() or 'without a state'}", f"Resume {name}-deliver.")
    elif last is None or now - epoch(last) > _QUIET_SECONDS:
        yield broken(what, f"it was last called {last or 'never'}", "Is Cloud Scheduler on in this region?")
    elif job.status.code:
        to_do = "Read its log; 7 and 16: roles/run.invoker of the scheduler's account is gone."
        yield broken(what, f"its last call at {last} failed with code {job.status.code}", to_do)
    else:
        yield ok(what, f"to the scheduler at {last}")


def examine_subscription(google: Google, project: str, name: str, topic: str, url: str) -> Iterator[Finding]:
    """Yield how it is with the subscription that brings entries; ``url`` is the function's, empty if not known.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`.
    """
    shown = google.ask(
        "pubsub", f"v1/projects/{project}/subscriptions/{name}", Subscription, "pubsub.subscriptions.get"
    )
    push = shown.push_config
    faults = []
    if shown.topic != topic or shown.detached:
        faults.append(
            broken("subscription", f"is detached or of {shown.topic or 'no topic'}, expected {topic}", _AGAIN)
        )
    if shown.state not in ("", "ACTIVE"):
        faults.append(broken("subscription", f"is {shown.state}", "Is the topic there, and the push endpoint allowed?"))
    if not push.push_endpoint:
        faults.append(broken("subscription", "pushes nowhere: entries wait", _AGAIN))
    elif url and push.push_endpoint.rstrip("/") != url.rstrip("/"):
        faults.append(broken("subscription", f"pushes to {push.push_endpoint}, expected {url}/", _AGAIN))
    if push.push_endpoint and (push.oidc_token is None or not push.oidc_token.service_account_email):
        faults.append(broken("subscription", "pushes without a token: the function refuses it", _AGAIN))
    if shown.filter:
        faults.append(warning("subscription", f"leaves out what its filter does not name: {shown.filter}", _AGAIN))
    if shown.dead_letter_policy is None:
        faults.append(warning("subscription", "puts nothing aside: what fails is dropped after a week", _AGAIN))
    if not url and not faults:
        found = f"pushes to {push.push_endpoint}; the function's own address is not known"
        faults.append(unknown("subscription", found, "See the line of the function."))
    yield from faults or [ok("subscription", f"pushes to {push.push_endpoint}")]


def invoker(google: Google, project: str, shown: Function, name: str) -> Iterator[Finding]:
    """Yield whether the two accounts that call the function may.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`.
    """
    what, service = "function's callers", shown.service_config.service.rpartition("/")[2] or name
    path = f"v2/projects/{project}/locations/{shown.location}/services/{service}:getIamPolicy"
    policy = google.ask("run", path, Policy, "run.services.getIamPolicy")
    may = [set(binding.members) for binding in policy.bindings if binding.role == "roles/run.invoker"]
    members = set().union(*may)
    wanted = [f"serviceAccount:{name}-{role}@{project}.iam.gserviceaccount.com" for role in ("push", "scheduler")]
    missing = [member for member in wanted if member not in members]
    if open_to := members & {"allUsers", "allAuthenticatedUsers"}:
        to_do = "Take roles/run.invoker from it: else anybody who gets inside may send entries."
        yield warning(what, f"open to {', '.join(sorted(open_to))}", to_do)
    if missing and not open_to:
        yield broken(what, f"{', '.join(missing)} may not call it (or by a role above the service)", _AGAIN)
    elif not open_to:
        yield ok(what, "Pub/Sub's and the scheduler's account may call it")


def backlog(google: Google, project: str, name: str, *, now: float) -> Iterator[Finding]:
    """Yield what waits too long, and what was put aside.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`.
    """
    age = _latest(google, project, name, "oldest_unacked_message_age", now)
    if age is None:
        yield warning("backlog", "no figure for an hour", "Cloud Monitoring says nothing; look again later.")
    elif age > _OLD_SECONDS:
        yield broken("backlog", f"an entry has waited for {age // 60:,} minutes", "Read the function's log.")
    else:
        yield ok("backlog", "nothing waits long")
    aside = _latest(google, project, f"{name}-dead-letter", "num_undelivered_messages", now)
    if aside is None:
        yield warning("dead letters", "no figure for an hour", "Cloud Monitoring says nothing; look again later.")
    elif aside:
        yield broken("dead letters", f"{aside:,} were not judged", "Bring them back: docs/gcp.md, Dead letters back.")
    else:
        yield ok("dead letters", "none")


def _latest(google: Google, project: str, subscription: str, metric: str, now: float) -> int | None:
    """Return the latest figure of a subscription, None where nothing was measured."""
    wanted = (
        f'metric.type="pubsub.googleapis.com/subscription/{metric}" AND '
        f'resource.type="pubsub_subscription" AND resource.labels.subscription_id="{subscription}"'
    )
    span = {"interval.startTime": at(now - _WINDOW_SECONDS), "interval.endTime": at(now)}
    path, permission = f"v3/projects/{project}/timeSeries", "monitoring.timeSeries.list"
    series = google.ask("monitoring", path, Figures, permission, filter=wanted, **span).time_series
    figures = [int(one.points[0].value.int64_value) for one in series if one.points]
    return max(figures, default=None)
