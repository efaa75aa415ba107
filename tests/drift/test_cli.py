"""``callerid drift`` against moto's IAM and a server that speaks Google's: what is printed, and how it ends."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import boto3
import google.auth
import pytest
from click.testing import CliRunner
from google.auth.credentials import AnonymousCredentials

from callerid.cli.drift import drift
from tests.parts import moto

GITHUB = "token.actions.githubusercontent.com"
ROLE = "arn:aws:iam::123456789012:role/deploy"
POOL = "projects/1/locations/global/workloadIdentityPools/p"
PROVIDER, EMAIL = f"{POOL}/providers/github", "deploy@proj.iam.gserviceaccount.com"
BOOK = f"""
version: "1"
callers:
  - name: workflow
    owner: o
    identities: [{{oidc: {{issuer: {GITHUB}, subject: "repo:acme@1/app@2:ref:refs/heads/main"}}}}]
    may_reach:
      - {{aws_role: "{ROLE}", audience: sts.amazonaws.com}}
      - {{service_account: "{EMAIL}", provider: "{PROVIDER}"}}
"""
SUBJECT = "repo:acme@1/app@2:ref:refs/heads/main"
GOOD_CONDITION = f"google.subject == '{SUBJECT}'"
MEMBER = f"principal://iam.googleapis.com/{POOL}/subject/{SUBJECT}"


def run(tmp_path, *arguments: str, status: int = 0) -> str:
    (tmp_path / "book.yaml").write_text(BOOK)
    result = CliRunner().invoke(drift, [str(tmp_path / "book.yaml"), *arguments])
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


@pytest.fixture
def iam(monkeypatch) -> Iterator:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with moto() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
        client = boto3.client("iam", region_name="us-east-1")
        client.create_open_id_connect_provider(
            Url=f"https://{GITHUB}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40]
        )
        yield client


def trusts(client, subject: str, name: str = "deploy") -> None:
    condition = {"StringLike": {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": "sts.amazonaws.com"}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    client.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


def test_roles_that_say_what_the_book_says_are_no_drift(iam, tmp_path):
    trusts(iam, SUBJECT)
    assert run(tmp_path, "--aws") == "1 compared, 0 of them in neither, 0 kept by AWS itself\n"


def test_a_role_that_is_too_wide_comes_with_an_example(iam, tmp_path):
    trusts(iam, "repo:acme*/app*:*")
    out = run(tmp_path, "--aws", status=1)
    assert out.startswith(f"too-wide {ROLE}: ")
    assert "(for example repo:acmestranger/appstranger:" in out


def test_every_page_of_roles_is_read(iam, tmp_path):
    for number in range(120):
        trusts(iam, SUBJECT, f"other-{number:03}")
    trusts(iam, SUBJECT)
    lines = [json.loads(line) for line in run(tmp_path, "--aws", "--format", "jsonl", status=1).splitlines()]
    assert {line["sort"] for line in lines} == {"unlisted"}
    assert len(lines) == 120
    assert "1 compared" in run(tmp_path, "--aws", "--roles", "deploy")


def test_a_role_that_is_not_there_is_missing(iam, tmp_path):
    assert run(tmp_path, "--aws", status=1).startswith(f"missing {ROLE}: workflow: the account has no such role\n")


class Google(BaseHTTPRequestHandler):
    """IAM's REST API as far as it is asked, a page an item."""

    answers: dict[str, object]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found = self.answers.get(url.path, {})
        if isinstance(found, dict) and len(found) == 1 and isinstance(items := next(iter(found.values())), list):
            at = int(parse_qs(url.query).get("pageToken", ["0"])[0])
            found = {next(iter(found)): items[at : at + 1]} | (
                {"nextPageToken": str(at + 1)} if at + 1 < len(items) else {}
            )
        self.answer(found)

    def do_POST(self) -> None:
        self.answer(self.answers.get(urlsplit(self.path).path, {}))

    def answer(self, found: object) -> None:
        body = b"{" if found is None else json.dumps(found).encode()
        self.send_response(found if isinstance(found, int) else 200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def rest(monkeypatch) -> Iterator[dict]:
    provider = {
        "name": PROVIDER,
        "oidc": {"issuerUri": f"https://{GITHUB}"},
        "attributeMapping": {"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"},
        "attributeCondition": GOOD_CONDITION,
    }
    Google.answers = {
        "/v1/projects/proj/locations/global/workloadIdentityPools": {
            "workloadIdentityPools": [{"name": f"{POOL}-empty"}, {"name": POOL}]
        },
        f"/v1/{POOL}/providers": {"workloadIdentityPoolProviders": [provider]},
        "/v1/projects/proj/serviceAccounts": {
            "accounts": [{"email": "other@proj.iam.gserviceaccount.com"}, {"email": EMAIL}]
        },
        f"/v1/projects/-/serviceAccounts/{EMAIL}:getIamPolicy": {
            "bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [MEMBER]}]
        },
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Google)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("CALLERID_IAM_API", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(google.auth, "default", lambda scopes: (AnonymousCredentials(), None))
    yield Google.answers
    server.shutdown()
    thread.join()
    server.server_close()


def google_told(tmp_path, *, status: int = 1) -> str:
    return run(tmp_path, "--gcp", "--project", "proj", status=status)


def provider_of(rest: dict) -> dict:
    return rest[f"/v1/{POOL}/providers"]["workloadIdentityPoolProviders"][0]


def members_of(rest: dict) -> list:
    return rest[f"/v1/projects/-/serviceAccounts/{EMAIL}:getIamPolicy"]["bindings"][0]["members"]


def test_providers_and_bindings_that_say_what_the_book_says_are_no_drift(rest, tmp_path):
    assert google_told(tmp_path, status=0) == "3 compared, 1 of them in neither, 0 kept by AWS itself\n"


@pytest.mark.parametrize(
    ("condition", "begin"),
    [
        ("", "too-wide"),
        ("true", "too-wide"),
        ("assertion.repository_owner == 'acme'", "too-wide"),
        ("assertion.repository == 'acme/app'", "too-wide"),
        (f"assertion.sub.startsWith('{SUBJECT}')", "too-wide"),
        (f"{GOOD_CONDITION} || assertion.repository_id == '77'", "too-wide"),
        (f"assertion.sub in ['{SUBJECT}']", ""),
        ("assertion.repository_id == '2' && assertion.ref == 'refs/heads/main' && assertion.repository_owner_id == '1'", ""),
        (f"{GOOD_CONDITION} && assertion.ref == 'refs/heads/main'", ""),
        ("false", "dead"),
        ("assertion.sub == 'repo:acme/app:ref:refs/heads/old'", "too-wide"),
        (f"{GOOD_CONDITION} && assertion.actor_id == '7'", "unsure"),
        (f"{GOOD_CONDITION} && !has(assertion.actor)", "unsure"),
        (f"{GOOD_CONDITION} && assertion.sub.extract('x') == ''", "unsure"),
        ("assertion.sub ==", "unsure"),
    ],
)  # fmt: skip
def test_a_condition_is_told(rest, tmp_path, condition, begin):
    provider_of(rest)["attributeCondition"] = condition
    out = google_told(tmp_path, status=int(bool(begin)))
    assert out.startswith(f"{begin} {PROVIDER}: " if begin else "3 compared")


@pytest.mark.parametrize(
    ("member", "begin"),
    [
        (f"principalSet://iam.googleapis.com/{POOL}/*", ""),
        (f"principalSet://iam.googleapis.com/{POOL}/attribute.repository/acme/app", ""),
        (f"principal://iam.googleapis.com/{POOL}/subject/repo:acme/app:ref:refs/heads/old", "too-wide"),
        ("user:somebody@example.com", "too-wide"),
        ("serviceAccount:other@proj.iam.gserviceaccount.com", "too-wide"),
        ("allUsers", "too-wide"),
        ("group:all@example.com", "unsure"),
        (f"principalSet://iam.googleapis.com/{POOL}/group/g", "unsure"),
        ("deleted:user:old@example.com?uid=1", ""),
    ],
)  # fmt: skip
def test_a_member_is_told(rest, tmp_path, member, begin):
    members_of(rest).append(member)
    out = google_told(tmp_path, status=int(bool(begin)))
    assert out.startswith(f"{begin} {EMAIL}: " if begin else "3 compared")


def test_a_workload_of_gke_at_an_account_that_the_book_does_not_name_is_unlisted(rest, tmp_path):
    gke = "serviceAccount:proj.svc.id.goog[prod/app]"
    rest["/v1/projects/-/serviceAccounts/other@proj.iam.gserviceaccount.com:getIamPolicy"] = {
        "bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [gke]}]
    }
    assert google_told(tmp_path).startswith("unlisted other@proj.iam.gserviceaccount.com: ")


def test_a_set_is_as_wide_as_the_condition_lets_in(rest, tmp_path):
    provider_of(rest)["attributeCondition"] = ""
    members_of(rest)[:] = [f"principalSet://iam.googleapis.com/{POOL}/attribute.repository/acme/app"]
    out = google_told(tmp_path)
    assert f"too-wide {EMAIL}: " in out
    assert (
        "for example repo:acme/app:pull_request, by principalSet" in out
        or "repo:acme/app:ref:refs/heads/stranger" in out
    )


def test_a_binding_that_has_ended_lets_nobody_in(rest, tmp_path):
    rest[f"/v1/projects/-/serviceAccounts/{EMAIL}:getIamPolicy"]["bindings"][0]["condition"] = {
        "expression": 'request.time < timestamp("2020-01-01T00:00:00Z")'
    }
    assert google_told(tmp_path).startswith(f"dead {EMAIL}: workflow: no binding names it\n")


def test_a_pool_that_is_switched_off_lets_nobody_in(rest, tmp_path):
    rest["/v1/projects/proj/locations/global/workloadIdentityPools"]["workloadIdentityPools"][1]["disabled"] = True
    assert google_told(tmp_path).startswith(f"dead {PROVIDER}: workflow: ")


def test_without_the_library_a_condition_is_not_understood(rest, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cel", None)
    out = google_told(tmp_path)
    assert out.startswith(f"unsure {PROVIDER}: ")
    assert "hangs on CEL, which pip install '.[drift]' in callerid's checkout brings" in out


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/v1/projects/proj/locations/global/workloadIdentityPools", 403, "refuses iam.workloadIdentityPools.list"),
        (f"/v1/{POOL}/providers", 403, "refuses iam.workloadIdentityPoolProviders.list"),
        ("/v1/projects/proj/serviceAccounts", 403, "refuses iam.serviceAccounts.list"),
        (f"/v1/projects/-/serviceAccounts/{EMAIL}:getIamPolicy", 403, "refuses iam.serviceAccounts.getIamPolicy"),
        ("/v1/projects/proj/serviceAccounts", 500, "answer to iam.serviceAccounts.list is none: HTTP 500"),
        ("/v1/projects/proj/serviceAccounts", None, "answer to iam.serviceAccounts.list is none: HTTP 200"),
        ("/v1/projects/proj/serviceAccounts", [], "answer to iam.serviceAccounts.list is none: HTTP 200"),
    ],
)
def test_a_missing_permission_is_named(rest, tmp_path, path, answer, message):
    rest[path] = answer
    assert message in google_told(tmp_path, status=2)


def test_no_credentials_of_google_say_how_to_sign_in(rest, tmp_path, monkeypatch):
    def nobody(scopes: object) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("long")

    monkeypatch.setattr(google.auth, "default", nobody)
    assert google_told(tmp_path, status=2) == "Error: no credentials: gcloud auth application-default login\n"


def test_a_missing_permission_of_aws_is_named(iam, tmp_path, monkeypatch):
    from botocore.exceptions import ClientError

    from callerid.drift import aws

    def denied(*_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "secret"}}, "ListRoles")

    monkeypatch.setattr(aws.boto3, "client", lambda *_, **__: type("C", (), {"get_caller_identity": denied})())
    out = run(tmp_path, "--aws", status=2)
    assert out == "Error: AWS refuses sts:GetCallerIdentity: give this permission to who runs drift\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "say --aws, --gcp or both"), (("--gcp",), "go together"), (("--aws", "--project", "p"), "go together"), (("--aws", "--given", "x"), "KEY=VALUE")],
)  # fmt: skip
def test_wrong_usage_is_told(tmp_path, arguments, message):
    assert message in run(tmp_path, *arguments, status=2)
