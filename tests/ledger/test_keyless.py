"""Each function reaches the other cloud's ledger without a key, and says which step was refused and nothing secret.

Real google-auth and boto3 speak to local servers; the rows lie in moto's DynamoDB and in Firestore's emulator.
"""

import json
import logging
import traceback
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from google.auth.transport.grpc import AuthMetadataPlugin

from callerid import delivery
from callerid.ledger import to_aws, to_google
from callerid.ledger.store import Key, UnavailableError, Write
from callerid.ledger.url import connect
from tests.conftest import POLICY
from tests.ledger.clouds import (
    ACCOUNT,
    AUDIENCE,
    LAMBDA,
    PROVIDER,
    ROLE,
    Answer,
    Aws,
    Google,
    Metadata,
    served,
    signed_by_the_lambda,
)
from tests.test_cases import ALL, _judged

ONE = Key("p", "1")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@contextmanager
def ledger(url: str):
    with closing(connect(url)) as store:
        yield store


@pytest.fixture
def metadata(monkeypatch):
    """Google's metadata server, as google-auth finds it on Google Cloud."""
    with served(played := Metadata()) as address:
        monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", address)
        yield played


@pytest.fixture
def amazon(moto, table, monkeypatch):
    """AWS, for a process that has no credentials of it and no region."""
    with served(played := Aws(moto)) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name)
        yield played


@pytest.fixture
def to_aws_url(table):
    return f"dynamodb://{table}?region=us-east-1&role={ROLE}&audience={AUDIENCE}"


@pytest.fixture
def google(monkeypatch):
    """Google's STS and IAM Credentials, for a process that has the environment of a Lambda."""
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    with served(played := Google()) as address:
        for name in ("_EXCHANGE", "_IMPERSONATION"):
            path = getattr(to_google, name).partition("googleapis.com")[2]
            monkeypatch.setattr(to_google, name, f"http://{address}{path}")
        yield played


@pytest.fixture
def to_google_url(project):
    return f"firestore://{project}/base?provider={PROVIDER}&service_account={ACCOUNT}"


def told(error: BaseException) -> str:
    """All that an error could tell a log: its traceback, and those of whatever it holds."""
    text = "".join(traceback.format_exception(error)) + repr(error.args)
    held = [other for other in (error.__cause__, error.__context__) if other]
    return text + "".join(map(told, held))


# The Cloud Function, to DynamoDB


def test_the_cloud_function_reaches_dynamodb_as_a_role(metadata, amazon, to_aws_url):
    with ledger(to_aws_url) as store:
        assert amazon.exchanges == [], "asked before it is needed"
        store.commit([Write(ONE, b"{}", None)])
        assert store.read([ONE])[ONE].data == b"{}"
    (request,) = amazon.exchanges
    assert request.pop("WebIdentityToken") == metadata.issued[0]
    assert request == {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "callerid",
    }
    assert amazon.used == [amazon.issued[0][0]] * 2


def test_credentials_of_the_environment_are_not_taken_instead(metadata, amazon, to_aws_url, monkeypatch, tmp_path):
    """A key that somebody left there, on either cloud, must not quietly do the function's work."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "left")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with ledger(to_aws_url) as store:
        store.read([ONE])
    assert amazon.used == [amazon.issued[0][0]]


def test_a_role_is_assumed_again_before_its_credentials_end(metadata, amazon, to_aws_url):
    amazon.lifetime = 5 * MINUTE
    with ledger(to_aws_url) as store:
        store.read([ONE])
        before = len(amazon.issued)
        amazon.lifetime = HOUR
        store.read([ONE])
        store.read([ONE])
    assert len(amazon.issued) == before + 1
    assert amazon.used[1:] == [amazon.issued[-1][0]] * 2 != [amazon.used[0]] * 2
    assert [request["WebIdentityToken"] for request in amazon.exchanges] == metadata.issued
    assert len(set(metadata.issued)) == len(metadata.issued)


def test_credentials_that_still_hold_serve_while_new_ones_are_refused(metadata, amazon, to_aws_url, caplog):
    amazon.lifetime = 12 * MINUTE
    with ledger(to_aws_url) as store, caplog.at_level(logging.INFO):
        store.read([ONE])
        amazon.refused = "AccessDenied"
        store.read([ONE])
    assert amazon.used[1] == amazon.issued[-1][0]
    assert len(amazon.exchanges) > len(amazon.issued)
    assert f"AssumeRoleWithWebIdentity of {ROLE}: AccessDenied" in caplog.text
    assert [text for text in secrets(metadata, amazon) if text in caplog.text] == []


def secrets(metadata: Metadata, amazon: Aws) -> list[str]:
    return metadata.issued + [text for _, *issued in amazon.issued for text in issued]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidIdentityToken", "ExpiredTokenException", "IDPRejectedClaim"])
def test_a_refused_token_names_the_step_and_the_code(metadata, amazon, to_aws_url, code, caplog):
    amazon.refused = code
    with ledger(to_aws_url) as store, caplog.at_level(logging.INFO), pytest.raises(UnavailableError) as raised:
        store.read([ONE])
    assert str(raised.value) == f"AWS STS, AssumeRoleWithWebIdentity of {ROLE}: {code}"
    assert len(metadata.issued) == 1
    assert metadata.issued[0] not in told(raised.value) + caplog.text


@pytest.mark.parametrize(("wanted", "given"), [(f"audience={AUDIENCE}", "audience=another"), (ROLE, f"{ROLE}-2")])
def test_a_token_that_the_trust_policy_does_not_name_is_refused(metadata, amazon, to_aws_url, wanted, given):
    with ledger(to_aws_url.replace(wanted, given)) as store, pytest.raises(UnavailableError, match="AccessDenied"):
        store.read([ONE])


@pytest.mark.parametrize(
    "answer",
    [Answer(b"unknown account", 404), Answer(b"eyJ-a-token-of-one-part", headers={"Content-Type": "text/html"})],
)
def test_no_identity_token_is_a_step_of_its_own(metadata, amazon, to_aws_url, answer, caplog):
    metadata.broken = answer
    with ledger(to_aws_url) as store, caplog.at_level(logging.INFO), pytest.raises(UnavailableError) as raised:
        store.read([ONE])
    assert str(raised.value).startswith("Google's metadata server, identity token for callerid: ")
    assert answer.body.decode() not in told(raised.value) + caplog.text
    assert amazon.exchanges == []


def test_an_sts_that_does_not_answer_is_named(metadata, amazon, to_aws_url, monkeypatch):
    with served(lambda asked: Answer(b"")) as gone:
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{gone}")
    with ledger(to_aws_url) as store, pytest.raises(UnavailableError) as raised:
        store.read([ONE])
    assert str(raised.value) == f"AWS STS, AssumeRoleWithWebIdentity of {ROLE}: EndpointConnectionError"


# The Lambda, to Firestore


def test_the_lambda_reaches_firestore_as_an_account(google, to_google_url):
    """The emulator asks for no token. That the client has the granted one is what it would have sent."""
    with ledger(to_google_url) as store:
        assert google.steps == [], "asked before it is needed"
        store.commit([Write(ONE, b"{}", None)])
        assert store.read([ONE])[ONE].data == b"{}"
        assert [sort for sort, _ in store.list("p")] == ["1"]
        headers = {}
        store._client._credentials.apply(headers)
    assert google.steps == ["exchange", "impersonation"]
    assert headers == {"authorization": f"Bearer {google.granted[0]}"}
    assert google.subject["url"] == "https://sts.eu-central-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    assert google.subject["method"] == "POST"
    assert google.subject["headers"]["x-amz-security-token"] == LAMBDA["AWS_SESSION_TOKEN"]
    assert google.subject["headers"]["x-goog-cloud-target-resource"] == f"//iam.googleapis.com/{PROVIDER}"
    assert signed_by_the_lambda(google.subject)


def test_what_grpc_signs_with_is_what_was_renewed(google, to_google_url, monkeypatch):
    """The client must not make a copy with scopes of its own, which would be renewed unseen inside of a call."""
    signing, made = [], AuthMetadataPlugin.__init__

    def noted(plugin, credentials, *others, **named):
        signing.append(credentials)
        made(plugin, credentials, *others, **named)

    monkeypatch.setattr(AuthMetadataPlugin, "__init__", noted)
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST")
    with ledger(to_google_url) as store:
        store._client._firestore_api  # noqa: B018  # opens the channel, which connects to nothing yet
        store._sign_in()
    assert [credentials.token for credentials in signing] == google.granted
    assert len(google.granted) == 1


def test_a_token_is_fetched_again_before_it_ends_with_the_credentials_of_that_time(google, to_google_url, monkeypatch):
    google.lifetime = MINUTE
    with ledger(to_google_url) as store:
        store.read([ONE])
        google.lifetime = HOUR
        monkeypatch.setenv("AWS_SESSION_TOKEN", "a-newer-session-token")
        store.read([ONE])
        store.read([ONE])
    assert google.steps == ["exchange", "impersonation", "impersonation"], "the federated token still holds"
    assert len(google.granted) == 2


def test_a_federated_token_that_ended_is_exchanged_anew(google, to_google_url, monkeypatch):
    google.lifetime = MINUTE
    with ledger(to_google_url) as store:
        store.read([ONE])
        monkeypatch.setenv("AWS_SESSION_TOKEN", "a-newer-session-token")
        store._client._credentials._impersonated_credentials._source_credentials.expiry -= HOUR
        store.read([ONE])
    assert google.steps == ["exchange", "impersonation"] * 2
    assert google.subject["headers"]["x-amz-security-token"] == "a-newer-session-token"


SPILLED = "wrong: " + "; ".join(LAMBDA.values())
"""The worst that an answer may quote: AWS, whose answer Google repeats, quotes the signed headers."""
REFUSALS = {
    "condition": (
        "exchange",
        Answer(b'{"error": "unauthorized_client", "error_description": "%s"}' % SPILLED.encode(), 400),
        f"Google STS, exchange at //iam.googleapis.com/{PROVIDER}: unauthorized_client",
    ),
    "no JSON": (
        "exchange",
        Answer(SPILLED.encode(), 502),
        f"Google STS, exchange at //iam.googleapis.com/{PROVIDER}: OAuthError",
    ),
    "no token": (
        "exchange",
        Answer(b"{}"),
        f"Google STS, exchange at //iam.googleapis.com/{PROVIDER}: TypeError",
    ),
    "a code that is none": (
        "exchange",
        Answer(b'{"error": "%s"}' % SPILLED.encode(), 400),
        f"Google STS, exchange at //iam.googleapis.com/{PROVIDER}: OAuthError",
    ),
    "account": (
        "impersonation",
        Answer(b'{"error": {"code": 403, "message": "%s", "status": "PERMISSION_DENIED"}}' % SPILLED.encode(), 403),
        f"IAM Credentials, access token of {ACCOUNT}: PERMISSION_DENIED",
    ),
    "half an answer": (
        "impersonation",
        Answer(b'{"accessToken": "ya29.without-its-end"}'),
        f"IAM Credentials, access token of {ACCOUNT}: RefreshError",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_exchange_names_the_step_and_the_code(google, to_google_url, project, name, caplog):
    step, answer, expected = REFUSALS[name]
    google.refused = {step: answer}
    with ledger(to_google_url) as store, caplog.at_level(logging.DEBUG), pytest.raises(UnavailableError) as raised:
        store.read([ONE])
    assert str(raised.value) == f"Firestore {project}/base: read: {expected}"
    assert google.steps.count(step) == 1, "a refusal is not asked again"
    issued = [
        google.federated or "ya29",
        *google.granted,
        "ya29",
        LAMBDA["AWS_SECRET_ACCESS_KEY"],
        LAMBDA["AWS_SESSION_TOKEN"],
    ]
    assert [text for text in issued if text in told(raised.value) + caplog.text] == []


def test_an_exchange_that_does_not_answer_is_named(google, to_google_url, project, monkeypatch):
    with served(lambda asked: Answer(b"")) as gone:
        pass
    monkeypatch.setattr(to_google, "_EXCHANGE", f"http://{gone}/v1/token")
    with ledger(to_google_url) as store, pytest.raises(UnavailableError) as raised:
        store.read([ONE])
    step = f"Google STS, exchange at //iam.googleapis.com/{PROVIDER}"
    assert str(raised.value) == f"Firestore {project}/base: read: {step}: TransportError"


@pytest.mark.parametrize("missing", ["AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
def test_a_lambda_without_its_credentials_is_told_so_and_no_metadata_is_asked(
    google, to_google_url, missing, monkeypatch
):
    monkeypatch.delenv(missing)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with ledger(to_google_url) as store, pytest.raises(UnavailableError) as raised:
        store.read([ONE])
    assert str(raised.value).endswith("read: AWS credentials of the environment: RefreshError")
    assert google.steps == []


def test_a_wrong_signature_would_have_been_seen(google, to_google_url, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with ledger(to_google_url) as store, pytest.raises(UnavailableError, match="invalid_grant"):
        store.read([ONE])


# Our own crossings

OWN = [case for name, case in ALL if name == "own-crossings"]


@pytest.mark.parametrize("case", OWN, ids=[case["case"] for case in OWN])
def test_the_example_book_judges_our_own_crossings_as_their_cases_say(case):
    got = _judged(delivery.document(json.dumps(case["record"]).encode()), POLICY.read_text())
    assert {key: got.get(key) for key in case["expect"]} == case["expect"]


def test_the_cases_are_of_what_the_code_asks():
    first = next(case["record"] for case in OWN if "assumes the role" in case["case"])
    assert first["requestParameters"]["roleSessionName"] == to_aws.SESSION_NAME
