"""Links open consoles of ours alone, and nothing that a log holds."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from callerid.access import Kind
from callerid.alerts.links import LONGEST, Look, links
from tests.alerts import samples

EVENT = "00000000-0000-4000-8000-000000000003"
DAY = 86_400.0


def urls(alert, look=Look(), *, received=samples.HEARD, **line) -> dict[str, str]:  # noqa: B008
    found = links(replace(alert.line, **line), alert.rule, received=received, look=look)
    return {link.label: link.url for link in found}


def test_an_event_and_its_role_open_in_their_region_and_partition():
    assert urls(samples.web_identity()) == {
        "Open event": f"https://us-east-1.console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events/{EVENT}",
        "Open role": "https://console.aws.amazon.com/iam/home#/roles/details/crosscloud-test?section=permissions",
    }


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("eu-central-2", "aws", "console.aws.amazon.com"),
        ("ap-southeast-7", "aws", "console.aws.amazon.com"),
        ("cn-northwest-1", "aws-cn", "console.amazonaws.cn"),
        ("us-gov-west-1", "aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_its_console(region, partition, host):
    found = urls(samples.web_identity(), region=region, target=f"arn:{partition}:iam::111111111111:role/a/b@c")
    assert urlsplit(found["Open event"]).netloc == f"{region}.{host}"
    assert found["Open role"] == f"https://{host}/iam/home#/roles/details/b%40c?section=permissions"


def test_the_access_portal_opens_the_account_that_a_link_is_about():
    found = urls(samples.web_identity(), Look(portal="example"))
    url = urlsplit(found["Open event"])
    asked = parse_qs(url.fragment.partition("?")[2])
    assert (url.netloc, asked["account_id"]) == ("example.awsapps.com", ["111111111111"])
    assert asked["destination"][0] == urls(samples.web_identity())["Open event"]
    assert "awsapps" not in urls(samples.web_identity(), Look(portal="example"), region="us-gov-west-1")["Open event"]


def test_the_call_of_a_session_is_looked_for_because_it_may_be_a_data_event():
    assert urls(samples.session_use())["Find event"].endswith("#/events?EventId=00000000-0000-4000-8000-000000000005")


def test_an_event_that_event_history_has_no_longer_is_not_linked():
    alert = samples.web_identity()
    assert "Open event" in urls(alert, received=samples.HEARD + 89 * DAY)
    assert "Open event" not in urls(alert, received=samples.HEARD + 91 * DAY)
    assert "Open event" not in urls(alert, time=None)


def test_a_log_entry_is_found_by_id_log_and_time():
    alert = samples.anonymous_exchange()
    found = urls(alert)
    query = re.fullmatch(
        r"https://console\.cloud\.google\.com/logs/query;query=([^;]+);.*\?project=my-gcp-project",
        found["Open log entry"],
    )
    assert unquote(query[1]).split("\n") == [
        'insertId="example6"',
        'logName="projects/my-gcp-project/logs/cloudaudit.googleapis.com%2Fdata_access"',
        'timestamp>="2026-11-03T13:20:31.987654Z"',  # the record's id is cut to microseconds, the entry is not
        'timestamp<="2026-11-03T13:20:31.987654999Z"',
    ]
    assert found["Open pool"].endswith("/workload-identity-pools/pool/crosscloud-test?project=my-gcp-project")


def test_a_log_entry_is_looked_for_by_what_there_is():
    alert = samples.anonymous_exchange()
    by_id = urls(alert, record_id="-/-/example6", time=None)["Open log entry"]
    assert unquote(by_id.partition("query=")[2].partition(";")[0]) == 'insertId="example6"'
    by_time = urls(alert, record_id=f"sha256:{'0' * 64}", time="2026-11-03T13:20:31Z")["Open log entry"]
    filters = unquote(by_time.partition("query=")[2].partition(";")[0]).split("\n")
    assert filters == ['logName:"cloudaudit.googleapis.com"', 'timestamp="2026-11-03T13:20:31Z"']
    assert "Open log entry" not in urls(alert, record_id="sha256:x", time=None)
    assert "Open log entry" not in urls(alert, record_id="-/-/x", account="folders/1")


def test_a_service_account_opens_by_its_id_and_its_list_by_its_address():
    alert = samples.impersonation()
    assert urls(alert)["Open service accounts"].endswith("/iam-admin/serviceaccounts?project=my-gcp-project")
    assert urls(alert, target="100000000000000000007")["Open service account"].endswith(
        "/details/100000000000000000007?project=my-gcp-project"
    )
    assert "Open pool" not in urls(alert), "the pool may be of another project than the account"


def test_a_runbook_is_the_part_about_the_reason():
    look = Look(runbooks="https://example.com/reasons.md")
    assert urls(samples.denied(), look)["Runbook"] == "https://example.com/reasons.md#subject-unlisted"
    assert "Runbook" not in {link.label for link in links(samples.denied().line, "<!channel>", received=0.0, look=look)}


@pytest.mark.parametrize(
    "setting",
    [
        {"portal": "evil.example.com/"}, {"portal": "a b"}, {"portal": "A"},
        {"runbooks": "http://example.com"}, {"runbooks": "https://example.com/#x"}, {"runbooks": "https://a b"},
        {"runbooks": "javascript:alert(1)"}, {"portal": "x\n"},
    ],
)  # fmt: skip
def test_a_setting_that_cannot_stand_in_a_link_is_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        Look(**setting)


HOSTILE = [
    "", "x", "us-east-1.evil.example.com", "us-east-1\n", "../../x", "us-east-1#@evil", "0" * 12 + "\n", "١" * 12, "a" * 5_000,
    f"{EVENT}\n", f"{EVENT}?x", f"{EVENT}/../..", "evil.example.com/%2f", "projects/x@evil/logs/y/2026-11-03T13:20:31Z/z",
    'projects/my-gcp-project/logs/a/2026-11-03T13:20:31Z/"\nOR true', "arn:aws:iam::111111111111:role/a b", "cn-evil.example.com-1",
    "arn:aws-evil:iam::111111111111:role/x", "x@evil.example.com.iam.gserviceaccount.com?", "//iam.googleapis.com/x", "us-iso-east-1",
    "projects/1/locations/global/workloadIdentityPools/a?b=c",
]  # fmt: skip
SHAPE = re.compile(
    r"https://([a-z0-9-]+\.)?console\.(aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)/[A-Za-z0-9/?=#.%&-]*"
    r"|https://console\.cloud\.google\.com/[A-Za-z0-9/;=?.%_~-]*"
)


@settings(deadline=None)
@given(*(st.sampled_from(HOSTILE) | st.text(max_size=30) for _ in range(7)), st.booleans(), st.sampled_from(list(Kind)))
def test_whatever_a_record_holds_a_link_opens_a_console(  # noqa: PLR0917
    account, region, record_id, target, provider, time, more, is_aws, kind
):
    """T12: parts that don't match whole give no link."""
    alert = samples.web_identity() if is_aws else samples.anonymous_exchange()
    for part in ({}, {"account": account}, {"region": region}, {"record_id": record_id}, {"target": target}, {"provider": provider},
                 {"time": time}, {"account": more, "region": region, "record_id": record_id, "target": target}):  # fmt: skip
        for url in urls(alert, kind=kind, **part).values():
            assert SHAPE.fullmatch(url), url
            assert len(url) <= LONGEST


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["account", "region", "record_id", "target", "provider", "time"])
def test_a_hostile_part_gives_no_link_of_its_own(field, text):
    aws, gcp = samples.web_identity(), samples.anonymous_exchange()
    for look in (Look(), Look(portal="example")):
        assert set(urls(aws, look, **{field: text}).values()) <= set(urls(aws, look).values())
    new = set(urls(gcp, **{field: text}).values()) - set(urls(gcp).values())
    assert len(text) < 2 or not any(text in unquote(url.partition("query")[2]) for url in new)
