"""What the doctor says of Google Cloud: each check well, broken, and not to be seen."""

import pytest

from callerid.doctor.check import Finding, State
from callerid.doctor.gcp import examine
from callerid.doctor.sink import CLAUSES, LEFT_OUT
from tests.doctor.google import FORBIDDEN, MISSING, OFF, PROJECT, TOPIC, WRITER, rendered_filter
from tests.doctor.installation import NOW

ORG = "organizations/99:getIamPolicy"
SINK = "sinks/callerid"
SUBSCRIPTION = "subscriptions/callerid"
JOB = "jobs/callerid-deliver"
RUN = "services/callerid:getIamPolicy"
FUNCTIONS = "locations/-/functions"


def looked(google, scope=None) -> list[Finding]:
    return examine(google.google, PROJECT, "callerid", scope=scope, now=NOW)


def bad(google, scope=None) -> list[tuple[str, str, str]]:
    return [(one.what, str(one.state), one.found) for one in looked(google, scope) if one.state is not State.OK]


def test_a_healthy_installation_has_nothing_to_do(google):
    found = looked(google)
    assert bad(google) == []
    assert all(not finding.to_do for finding in found)
    assert [finding.what for finding in found] == [
        "ancestry", "audit logs of sts.googleapis.com", "audit logs of iam.googleapis.com", "exempted members",
        "organization's log", "sink at organizations/99", "sink's writer", "function", "function's callers",
        "function answers", "subscription", "backlog", "dead letters",
    ]  # fmt: skip


def test_it_reads_and_never_writes(google):
    looked(google)
    posts = {path.rpartition(":")[2] for method, path, _ in google.asked if method == "POST"}
    assert posts == {"getIamPolicy", "getAncestry"}


def config(service: str, *types: str, exempted: tuple[str, ...] = ()) -> dict:
    return {"service": service, "auditLogConfigs": [{"logType": type_, "exemptedMembers": exempted} for type_ in types]}


@pytest.mark.parametrize(
    ("configs", "off"),
    [
        ([], ["sts", "iam"]),
        ([config("allServices", "ADMIN_READ")], []),
        ([config("sts.googleapis.com", "ADMIN_READ")], ["iam"]),
        ([config("sts.googleapis.com", "DATA_READ"), config("iam.googleapis.com", "DATA_WRITE")], ["sts", "iam"]),
        ([config("sts.googleapis.com", "ADMIN_READ"), config("iamcredentials.googleapis.com", "ADMIN_READ")], ["iam"]),
    ],
)
def test_both_services_must_log_admin_read(google, configs, off):
    google.bend(ORG, auditConfigs=configs)
    broken = [what for what, state, _ in bad(google) if state == "broken"]
    assert broken == [f"audit logs of {name}.googleapis.com" for name in off]


def test_a_log_that_is_on_below_the_scope_is_not_on_in_the_scope(google):
    google.bend(ORG, auditConfigs=[])
    google.bend(f"projects/{PROJECT}:getIamPolicy", auditConfigs=[config("allServices", "ADMIN_READ")])
    assert [state for _, state, _ in bad(google)] == ["broken", "broken"]


def test_a_policy_that_may_not_be_read_is_unknown_and_names_the_permission(google):
    google.say(ORG, FORBIDDEN)
    found = bad(google)
    assert {state for _, state, _ in found} == {"unknown"}
    assert len(found) == 3
    assert all("resourcemanager.organizations.getIamPolicy on organizations/99" in what for _, _, what in found)


def test_what_is_seen_to_be_on_is_on_although_the_rest_may_not_be_read(google):
    google.answers[f"logging/v2/projects/{PROJECT}/sinks/callerid"] = google.answers[
        "logging/v2/organizations/99/sinks/callerid"
    ]
    google.bend(f"projects/{PROJECT}:getIamPolicy", auditConfigs=[config("allServices", "ADMIN_READ")])
    google.say(ORG, FORBIDDEN)
    assert [(what, state) for what, state, _ in bad(google)] == [
        ("exempted members", "unknown"),
        ("organization's log", "warning"),
    ]


def test_exempted_members_are_named_with_their_place(google):
    scanner = "serviceAccount:scanner@example.iam.gserviceaccount.com"
    google.bend(ORG, auditConfigs=[config("allServices", "ADMIN_READ", exempted=(scanner,))])
    found = [("exempted members", "warning", f"{scanner} at organizations/99: neither logged nor judged")]
    assert bad(google) == found


def test_a_folder_s_scope_warns_of_the_organization_s_log(google):
    google.answers["logging/v2/folders/77/sinks/callerid"] = google.answers.pop(
        "logging/v2/organizations/99/sinks/callerid"
    )
    assert [(what, state) for what, state, _ in bad(google)] == [("organization's log", "warning")]
    assert [(what, state) for what, state, _ in bad(google, "folders/77")] == [("organization's log", "warning")]


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({"disabled": True}, "broken", "switched off"),
        ({"destination": "pubsub.googleapis.com/projects/other/topics/x"}, "broken", f"expected {TOPIC}"),
        ({"destination": ""}, "broken", "writes to nothing"),
        ({"includeChildren": False}, "broken", "projects below"),
        ({"filter": rendered_filter().replace("GenerateIdToken|", "")}, "broken", "lacks GenerateIdToken"),
        (
            {"filter": rendered_filter().replace(r"|\.(SignBlob|SignJwt)$", "")},
            "broken",
            r"lacks \.(SignBlob|SignJwt)$",
        ),
        ({"filter": "-- " + rendered_filter().replace("\n", "\n-- ")}, "broken", "and 14 more"),
        ({"filter": rendered_filter() + 'AND NOT severity="INFO"\n'}, "warning", "leaves out more"),
        ({"filter": ""}, "warning", "no filter"),
        (
            {"exclusions": [{"name": "noise"}, {"name": "old", "disabled": True}]},
            "warning",
            "leaves out what noise say",
        ),
    ],
)
def test_a_sink_must_be_on_write_to_the_topic_and_take_what_is_judged(google, change, state, said):
    google.bend(SINK, **change)
    ((what, found_state, found),) = bad(google)
    assert (what, found_state) == ("sink at organizations/99", state)
    assert said in found


def test_a_writer_without_a_right_on_the_topic_is_unknown_where_the_policies_above_are(google):
    google.bend(f"{TOPIC}:getIamPolicy", bindings=[])
    google.say("folders/77:getIamPolicy", FORBIDDEN)
    assert ("sink's writer", "unknown") in [(what, state) for what, state, _ in bad(google)]


def test_terraform_s_filter_has_every_clause_that_is_asked_for():
    assert all(clause in rendered_filter() for clause in CLAUSES)
    assert rendered_filter().count("AND NOT") == LEFT_OUT


def test_a_sink_that_is_nowhere_is_broken_and_one_that_may_not_be_seen_is_unknown(google):
    google.answers.pop("logging/v2/organizations/99/sinks/callerid")
    assert ("sink", "broken", f"there is no sink callerid at projects/{PROJECT}, folders/77, organizations/99") in bad(
        google
    )
    google.answers["logging/v2/organizations/99/sinks/callerid"] = FORBIDDEN
    assert ("sink", "unknown", "not seen; no permission: logging.sinks.get on organizations/99") in bad(google)


@pytest.mark.parametrize(
    ("binding", "state"),
    [
        ({"role": "roles/pubsub.publisher", "members": []}, "broken"),
        ({"role": "roles/pubsub.viewer", "members": [WRITER]}, "broken"),
        ({"role": "roles/pubsub.editor", "members": [WRITER]}, None),
        ({"role": "roles/pubsub.publisher", "members": [WRITER], "condition": {"title": "office hours"}}, "unknown"),
        ({"role": "organizations/99/roles/writer", "members": [WRITER]}, "unknown"),
    ],
)
@pytest.mark.parametrize("place", [f"{TOPIC}:getIamPolicy", "folders/77:getIamPolicy"])
def test_the_sink_s_writer_must_be_allowed_to_publish(google, binding, state, place):
    google.bend(f"{TOPIC}:getIamPolicy", bindings=[])
    google.bend(place, bindings=[binding])
    assert [(what, found) for what, found, _ in bad(google)] == ([("sink's writer", state)] if state else [])


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({"topic": "_deleted-topic_"}, "broken", "_deleted-topic_"),
        ({"detached": True}, "broken", "detached"),
        ({"state": "RESOURCE_ERROR"}, "broken", "RESOURCE_ERROR"),
        ({"pushConfig": {}}, "broken", "pushes nowhere"),
        ({"pushConfig": {"pushEndpoint": "https://evil.example.com/"}}, "broken", "expected https://callerid"),
        ({"deadLetterPolicy": None}, "warning", "puts nothing aside"),
        ({"filter": 'attributes.x = "y"'}, "warning", "leaves out"),
    ],
)
def test_the_subscription_must_push_to_the_function(google, change, state, said):
    google.bend(SUBSCRIPTION, **{name: value for name, value in change.items() if value is not None})
    for name in (name for name, value in change.items() if value is None):
        del google.answers[f"pubsub/v1/projects/{PROJECT}/subscriptions/callerid"][name]
    what, found_state, found = bad(google)[0]
    assert (what, found_state) == ("subscription", state)
    assert said in found


@pytest.mark.parametrize(
    ("ending", "answer", "expected"),
    [
        (FUNCTIONS, {}, ("function", "broken", "there is no function callerid in my-gcp-project")),
        (FUNCTIONS, {"unreachable": ["us-west9"]}, ("function", "unknown", "could look, which was not us-west9")),
        (FUNCTIONS, FORBIDDEN, ("function", "unknown", "no permission: cloudfunctions.functions.list")),
        (FUNCTIONS, OFF, ("function", "unknown", "the API cloudfunctions.googleapis.com is off")),
        (RUN, {}, ("function's callers", "broken", "may not call it")),
        (RUN, FORBIDDEN, ("function's callers", "unknown", "run.services.getIamPolicy")),
        (RUN, {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]},
         ("function's callers", "warning", "open to allUsers")),
        (JOB, MISSING, ("function answers", "broken", "not there")),
        (JOB, {"state": "PAUSED"}, ("function answers", "broken", "its schedule is paused")),
        (JOB, {"state": "ENABLED"}, ("function answers", "broken", "last called never")),
        (JOB, {"state": "ENABLED", "lastAttemptTime": "2026-11-02T03:00:00Z"},
         ("function answers", "broken", "last called 2026-11-02T03:00:00Z")),
        (JOB, {"state": "ENABLED", "lastAttemptTime": "2026-11-02T04:04:00Z", "status": {"code": 7}},
         ("function answers", "broken", "failed with code 7")),
        ("oldest_unacked_message_age", {}, ("backlog", "warning", "no figure")),
        ("oldest_unacked_message_age", {"timeSeries": [{"points": [{"value": {"int64Value": "7200"}}]}]},
         ("backlog", "broken", "waited for 120 minutes")),
        ("num_undelivered_messages", {"timeSeries": [{"points": [{"value": {"int64Value": "3"}}]}]},
         ("dead letters", "broken", "3 were not judged")),
        ("num_undelivered_messages", FORBIDDEN, ("backlog", "unknown", "monitoring.timeSeries.list")),
    ],
)  # fmt: skip
def test_what_is_broken_or_not_seen_on_the_way_to_the_function_is_said(google, ending, answer, expected):
    google.say(ending, answer)
    what, state, said = expected
    assert any(found[:2] == (what, state) and said in found[2] for found in bad(google))


ODD = [b"", b"<html>502</html>", b"[]", b'"text"', b"null", b"{", b'{"bindings": 1, "functions": 1, "ancestor": 1}']


@pytest.mark.parametrize(
    "answer", [*[(200, body) for body in ODD], FORBIDDEN, (500, b"oops"), (302, b""), (401, b"[]")]
)
def test_whatever_google_answers_to_everything_nothing_of_it_is_well(google, answer):
    google.answers = dict.fromkeys(google.answers, answer)
    found = looked(google)
    well = [finding.what for finding in found if finding.state is State.OK]
    assert well == []
    assert any(finding.state is State.UNKNOWN for finding in found)
    assert all(finding.to_do for finding in found if finding.state is not State.OK)


def test_every_answer_that_is_refused_is_unknown_by_itself(google):
    healthy = dict(google.answers)
    for path in healthy:
        google.answers = {**healthy, path: FORBIDDEN}
        if path == "cloudresourcemanager/v3/folders/77":
            continue  # asked only where --scope names the folder
        states = {state for _, state, _ in bad(google)}
        assert "unknown" in states, path
