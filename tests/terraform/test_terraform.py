"""Google Cloud's resources: well-formed, closed to strangers, and letting through every entry that is judged.

What needs nothing but Python reads the files. What needs Terraform runs the real one; what needs providers runs
`../shared/terraform-check`, whose providers are stand-ins: a plan that passes there is well-formed, and not
proven on Google Cloud.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from callerid.access import Scope
from callerid.delivery import document
from tests.conftest import ROOT
from tests.test_cases import ALL

TERRAFORM = ROOT / "terraform"
CHECK = ROOT.parent / "shared" / "terraform-check" / "check"
DOCS = (ROOT / "docs" / "gcp.md").read_text()
TEXTS = {path.name: path.read_text() for path in sorted(TERRAFORM.glob("*.tf"))}
WHOLE = "".join(TEXTS.values())

needs_terraform = pytest.mark.skipif(not shutil.which("terraform"), reason="terraform is not installed: not proven")
needs_check = pytest.mark.skipif(
    not (shutil.which("terraform") and CHECK.exists()),
    reason=f"no plan was made: needs terraform and {CHECK}, which is no part of a checkout",
)


def blocks(kind: str) -> dict[str, str]:
    """The top-level blocks of a kind, by their labels."""
    found = re.findall(rf'^{kind} ((?:"[^"]+" ?)+){{\n(.*?)^}}', WHOLE, re.MULTILINE | re.DOTALL)
    return {".".join(re.findall(r'"([^"]+)"', labels)): body for labels, body in found}


# Who may do what

FUNCTION = 'google_service_account.this["function"].member'
BUILD = 'google_service_account.this["build"].member'
PUBSUB = '"serviceAccount:${local.pubsub_agent}"'
GRANTS = {
    "google_artifact_registry_repository_iam_member.build": ("roles/artifactregistry.writer", BUILD),
    "google_cloud_run_service_iam_member.invoker": (
        "roles/run.invoker",
        "google_service_account.this[each.key].member",
    ),
    "google_project_iam_member.build_logs": ("roles/logging.logWriter", BUILD),
    "google_project_iam_member.build_source": ("roles/storage.objectViewer", BUILD),
    "google_project_iam_member.lambda_ledger": (
        "roles/datastore.user",
        "google_service_account.lambda[each.key].member",
    ),
    "google_project_iam_member.ledger": ("roles/datastore.user", FUNCTION),
    "google_pubsub_subscription_iam_member.dead_letter": ("roles/pubsub.subscriber", PUBSUB),
    "google_pubsub_topic_iam_member.dead_letter": ("roles/pubsub.publisher", PUBSUB),
    "google_pubsub_topic_iam_member.history": (
        "roles/pubsub.publisher",
        "data.google_storage_project_service_account.this[each.key].member",
    ),
    "google_pubsub_topic_iam_member.second_way": ("roles/pubsub.publisher", FUNCTION),
    "google_pubsub_topic_iam_member.sink": ("roles/pubsub.publisher", "local.writer"),
    "google_secret_manager_secret_iam_member.policy": ("roles/secretmanager.secretAccessor", FUNCTION),
    "google_secret_manager_secret_iam_member.slack_token": ("roles/secretmanager.secretAccessor", FUNCTION),
    "google_service_account_iam_member.lambda": ("roles/iam.workloadIdentityUser", "format("),
    "google_service_account_iam_member.push_token": ("roles/iam.serviceAccountOpenIdTokenCreator", PUBSUB),
    "google_storage_bucket_iam_member.history": ("roles/storage.objectViewer", FUNCTION),
    "google_storage_bucket_iam_member.policy": ("roles/storage.objectViewer", FUNCTION),
}


def attribute(body: str, name: str) -> str:
    return re.search(rf"^  {name} += (.*?)(?: +# .*)?$", body, re.MULTILINE)[1]


def test_the_grants_are_these_and_no_others():
    given = {
        name: (attribute(body, "role").strip('"'), attribute(body, "member"))
        for name, body in blocks("resource").items()
        if "_iam_" in name and not re.search(r"_iam_(audit_config|workload)", name)
    }
    assert given == GRANTS


def test_what_a_project_grants_is_narrowed_by_a_condition():
    wide = {
        name
        for name, body in blocks("resource").items()
        if name.startswith("google_project_iam_member") and "condition {" not in body
    }
    assert wide == {"google_project_iam_member.build_logs"}  # a log has no condition to be narrowed by


def test_nothing_is_open_to_all_and_no_grant_of_others_is_taken_away():
    assert not re.search(
        r"allUsers|allAuthenticatedUsers|_iam_(binding|policy)\b|ALLOW_ALL",
        WHOLE.replace("google_project_iam_policy", ""),
    )
    assert not re.search(r"roles/(owner|editor|viewer)\b|service_account_key", WHOLE)


def test_only_push_and_scheduler_may_call_the_function():
    assert (
        'for_each = toset(["push", "scheduler"])' in blocks("resource")["google_cloud_run_service_iam_member.invoker"]
    )


# Which entries reach the function


class Filter:
    """The part of the Logging query language that the filter uses.

    A field that is absent compares false, so NOT of it is true; of a repeated field any value will do. Google
    Cloud binds OR before AND, others do the reverse: a mixture without parentheses is refused here.
    https://cloud.google.com/logging/docs/view/logging-query-language
    """

    def __init__(self, text: str) -> None:
        self._tokens = re.findall(r'\(|\)|=~|:\*|=|"(?:[^"\\]|\\.)*"|[\w.]+', text)
        assert re.sub(r"\s", "", text) == re.sub(r"\s", "", "".join(self._tokens))
        self.accepts = self._expression()
        assert not self._tokens

    def _take(self) -> str:
        return self._tokens.pop(0)

    def _expression(self) -> Callable[[dict], bool]:
        terms, joints = [self._term()], set()
        while self._tokens and self._tokens[0] in ("AND", "OR"):
            joints.add(self._take())
            terms.append(self._term())
        assert len(joints) < 2
        join = any if "OR" in joints else all
        return lambda entry: join(term(entry) for term in terms)

    def _term(self) -> Callable[[dict], bool]:
        token = self._take()
        if token == "NOT":
            inner = self._term()
            return lambda entry: not inner(entry)
        if token == "(":
            inner = self._expression()
            assert self._take() == ")"
            return inner
        if token == "log_id":
            _, name, _ = self._take(), self._take(), self._take()
            return lambda entry: entry["logName"].endswith("/logs/" + quote(name[1:-1], safe=""))
        return self._comparison(token.split("."), self._take())

    def _comparison(self, path: list[str], operator: str) -> Callable[[dict], bool]:
        if operator == ":*":
            return lambda entry: bool(found(entry, path))
        wanted = self._values()
        if operator == "=":
            return lambda entry: any(value in wanted for value in found(entry, path))
        return lambda entry: any(re.search(wanted[0], value) for value in found(entry, path) if isinstance(value, str))

    def _values(self) -> list[str]:
        listed = [self._take()]
        if listed == ["("]:
            listed = [self._take()]
            while self._take() == "OR":
                listed.append(self._take())
        return [value[1:-1] for value in listed]


def found(part: object, path: list[str]) -> list[object]:
    """Every value at a path, through lists."""
    if isinstance(part, list):
        return [value for item in part for value in found(item, path)]
    if not path:
        return [part]
    return found(part[path[0]], path[1:]) if isinstance(part, dict) and path[0] in part else []


SELF = "callerid-function@my-gcp-project.iam.gserviceaccount.com"
PUSH = "callerid-push@my-gcp-project.iam.gserviceaccount.com"
AGENT = "service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
POOL = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"
TARGET = "cc-test-target@my-gcp-project.iam.gserviceaccount.com"


@cache
def filter_for(*watched: str) -> Filter:
    text = (TERRAFORM / "filter.tftpl").read_text()
    head, each, tail = re.split(r"%{ for email in watched ~}\n|%{ endfor ~}\n", text)
    text = head + "".join(each.replace("${email}", email) for email in watched) + tail
    for name, value in {
        "self": SELF,
        "push": PUSH,
        "scheduler": PUSH.replace("push", "scheduler"),
        "pubsub_agent": AGENT,
        "scheduler_agent": AGENT.replace("pubsub", "cloudscheduler"),
    }.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text
    return Filter(text)


def entry(
    service: str, method: str, who: dict | None = None, *, of: str | None = None, log: str = "data_access"
) -> dict:
    return {
        "logName": f"projects/my-gcp-project/logs/cloudaudit.googleapis.com%2F{log}",
        "resource": {"labels": {"email_id": of} if of else {}},
        "protoPayload": {
            "serviceName": f"{service}.googleapis.com",
            "methodName": method,
            **({} if who is None else {"authenticationInfo": who}),
        },
    }


@pytest.mark.parametrize(
    ("judged", "sample"),
    [
        (True, entry("sts", "google.identity.sts.v1.SecurityTokenService.ExchangeToken", {"principalSubject": "repo:acme/app"})),
        (True, entry("sts", "google.identity.sts.v1.SecurityTokenService.ExchangeToken", {})),  # nobody named: what it is all about
        (True, entry("sts", "google.identity.sts.v1beta.SecurityTokenService.ExchangeToken")),
        (True, entry("sts", "google.identity.sts.SecurityTokenService.WebSignIn", {})),
        (True, entry("iamcredentials", "GenerateAccessToken", {}, of=TARGET)),  # denied, and the caller redacted
        (True, entry("iamcredentials", "google.iam.credentials.v1.IAMCredentials.SignBlob", {"principalEmail": "a@example.com"}, of=TARGET)),
        (True, entry("iam", "google.iam.admin.v1.SignJwt", {"principalEmail": "a@example.com"}, of=TARGET)),  # deprecated, and answers
        (True, entry("storage", "storage.objects.get", {"principalSubject": f"{POOL}/subject/a"})),
        (True, entry("storage", "storage.objects.get", {"principalSubject": "serviceAccount:my-gcp-project.svc.id.goog[ns/ksa]"})),
        (True, entry("storage", "storage.objects.get", {"principalSubject": "serviceAccount:my-gcp-project.hub.id.goog[ns/ksa]"})),
        (True, entry("storage", "storage.objects.get", {"principalEmail": TARGET, "serviceAccountDelegationInfo": [{}, {"principalSubject": f"{POOL}/subject/a"}]})),
        (True, entry("iam", "google.iam.v1.WorkloadIdentityPools.UpdateWorkloadIdentityPoolProvider", {}, log="activity")),
        (True, entry("iamcredentials", "GenerateAccessToken", {"principalEmail": SELF, "principalSubject": f"{POOL}/subject/a"}, of=SELF)),
        (True, entry("iamcredentials", "GenerateAccessToken", {"principalEmail": SELF, "principalSubject": "serviceAccount:my-gcp-project.svc.id.goog[ns/ksa]"}, of=SELF)),
        (True, entry("iamcredentials", "GenerateIdToken", {"principalEmail": "a@example.com"}, of=PUSH)),
        (True, entry("iamcredentials", "GenerateAccessToken", {"principalEmail": SELF, "principalSubject": f"serviceAccount:{SELF}"}, of=TARGET)),  # a stolen identity
        (False, entry("iamcredentials", "GenerateIdToken", {"principalEmail": SELF, "principalSubject": f"serviceAccount:{SELF}"}, of=SELF)),
        (False, entry("iamcredentials", "GenerateIdToken", {"principalEmail": AGENT}, of=PUSH)),
        (False, entry("iam", "google.iam.admin.v1.ListServiceAccounts", {"principalEmail": "a@example.com"})),
        (False, entry("storage", "storage.objects.get", {"principalEmail": TARGET})),
        (False, entry("sts", "google.identity.sts.v1.SecurityTokenService.ExchangeToken", {}, log="system_event")),
    ],
)  # fmt: skip
def test_the_filter_chooses_by_service_and_method_and_leaves_out_only_our_own_calls(judged, sample):
    assert filter_for().accepts(sample) is judged


def test_a_watched_account_is_seen_whoever_is_behind_it():
    sample = entry("storage", "storage.objects.get", {"principalEmail": TARGET})
    assert filter_for("another@example.com", TARGET).accepts(sample)


def test_every_case_of_google_cloud_that_is_judged_passes_the_filter():
    """Where a requirement names an account, it is watched. What a source has abridged is not what a sink delivers."""
    stopped, seen = [], 0
    for name, case in ALL:
        record, verdict = case.get("record"), case["expect"].get("verdict")
        if verdict in (None, "out-of-scope", "unreadable") or not whole(record):
            continue
        seen += 1
        if not filter_for(*required(case.get("policy"))).accepts(record):
            stopped.append(f"{name}: {case['case']}")
    assert seen > 100
    assert stopped == []


@pytest.mark.parametrize(
    "spelling",
    [
        f"{POOL}/subject/a",
        f"//{POOL}/subject/a",
        "serviceAccount:my-gcp-project.svc.id.goog[ns/ksa]",
        "my-gcp-project.svc.id.goog[ns/ksa]",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda name: {"principalSubject": name},
        lambda name: {"principalEmail": name},
        lambda name: {"principalEmail": TARGET, "serviceAccountDelegationInfo": [{"principalSubject": name}]},
        lambda name: {"principalEmail": TARGET, "serviceAccountDelegationInfo": [{"firstPartyPrincipal": {"principalSubject": name}}]},
        lambda name: {"principalEmail": TARGET, "serviceAccountDelegationInfo": [{"firstPartyPrincipal": {"principalEmail": name}}]},
    ],
    ids=["subject", "email", "hop", "nested-hop", "email-of-hop"],
)  # fmt: skip
def test_a_federated_identity_passes_the_filter_wherever_and_however_it_is_spelled(place, spelling):
    """In each of these places the judge takes each of these for somebody of another identity provider."""
    sample = entry("storage", "storage.objects.get", place(spelling))
    (batch,) = document(json.dumps({"insertId": "1", **sample}).encode())
    assert batch.reader.read(batch.records[0]).scope is Scope.ALWAYS
    assert filter_for().accepts(sample)


def whole(record: object) -> bool:
    payload = record.get("protoPayload") if isinstance(record, dict) and "logName" in record else None
    return isinstance(payload, dict) and isinstance(payload.get("serviceName"), str)


@cache
def required(policy: str | None) -> list[str]:
    """The service accounts of a case's requirements."""
    text = policy if policy not in (None, "none") else (ROOT / "tests" / "cases" / "policy.yaml").read_text()
    named = [
        rule["service_accounts"] for rule in yaml.safe_load(text).get("requirements", []) if "service_accounts" in rule
    ]
    return [account for accounts in named for account in ([accounts] if isinstance(accounts, str) else accounts)]


# The files themselves


def test_every_variable_says_its_type_and_what_it_is_and_refuses_what_is_not():
    bodies = blocks("variable")
    assert all("  description = " in body and "  type " in body for body in bodies.values())
    assert {name for name, body in bodies.items() if "validation {" not in body} == {
        "firestore_location",
        "labels",
        "sessions",
    }


def test_every_output_says_what_it_is():
    assert all("  description = " in body for body in blocks("output").values())


def test_the_function_gets_these_settings():
    body = blocks("resource")["google_cloudfunctions2_function.monitor"]
    assert set(re.findall(r"\b(CALLERID_[A-Z_]+)\b", body)) == {
        "CALLERID_CHANNEL",
        "CALLERID_LEDGER",
        "CALLERID_POLICY",
        "CALLERID_PORTAL",
        "CALLERID_RUNBOOKS",
        "CALLERID_SECOND_WAY",
        "CALLERID_SESSIONS",
        "CALLERID_SLACK_TOKEN",
        "CALLERID_TIMEZONE",
    }


def test_a_delivery_outlasts_the_function():
    """Else an entry comes again while it is still being judged."""
    function = int(attribute(blocks("resource")["google_cloudfunctions2_function.monitor"], " *timeout_seconds"))
    for name in ("entries", "dead_letter"):
        deadline = int(attribute(blocks("resource")[f"google_pubsub_subscription.{name}"], "ack_deadline_seconds"))
        assert function < deadline <= 600


def test_every_variable_output_and_alert_stands_in_the_page():
    alerts = re.findall(r'title += "(.*)"', TEXTS["alerts.tf"])
    assert len(alerts) == 9
    names = [*blocks("variable"), *blocks("output"), *(title.replace("${var.silence_hours}", "23") for title in alerts)]
    assert [name for name in names if f"`{name}`" not in DOCS] == []


def test_requirements_are_exact_versions_and_all_that_is_imported():
    text = (ROOT / "gcp_function" / "requirements.txt").read_text()
    lines = [line.partition("#")[0].strip() for line in text.splitlines() if line.partition("#")[0].strip()]
    assert all(re.fullmatch(r"[A-Za-z][\w.-]*==[\w.]+", line) for line in lines)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    assert len(pinned) == len(lines)
    assert {
        "functions-framework",
        "google-cloud-firestore",
        "google-cloud-logging",
        "msgspec",
        "pyyaml",
        "zlib-ng",
    } <= pinned


# The canary


@pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("bash")), reason="no canary was sent: needs bash and openssl"
)
def test_the_canary_exchanges_a_token_that_its_own_pool_accepts_and_leaves_nothing(tmp_path):
    """The two programs that reach Google Cloud are played; keys, token and signature are real."""
    for name, body in {
        "gcloud": 'echo "$*" >>"$LOG"; case "$*" in *--jwk-json-path*) for each; do case "$each" in '
        '--jwk-json-path=*) cp "${each#*=}" "$LOG.jwks";; esac; done;; *describe*) echo 123456789012;; esac',
        "curl": 'printf "%s\\n" "$@" >"$LOG.curl"; [ -e "$LOG.once" ] && echo -n 200 || echo -n 400; touch "$LOG.once"; : >"$3"',
    }.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    script = str(TERRAFORM / "canary.sh")
    answer = run("bash", script, "my-gcp-project", cwd=tmp_path, PATH=path, LOG=str(log), CANARY_PAUSE="0")
    assert answer.returncode == 0, answer.stderr
    created, *_, deleted = log.read_text().splitlines()
    pool = re.search(r"create (\S+)", created)[1]
    assert f"delete {pool} " in deleted

    sent = dict(
        line.split("=", 1) for line in Path(f"{log}.curl").read_text().splitlines() if re.match("[a-z_]+=", line)
    )
    head, claims, signature = sent["subject_token"].split(".")
    (key,) = json.loads(Path(f"{log}.jwks").read_text())["keys"]
    numbers = {name: int.from_bytes(unbase64(key[name])) for name in "ne"}
    opened = pow(int.from_bytes(unbase64(signature)), numbers["e"], numbers["n"]).to_bytes(256)
    assert opened.endswith(hashlib.sha256(f"{head}.{claims}".encode()).digest())
    assert json.loads(unbase64(head)) == {"alg": "RS256", "kid": key["kid"], "typ": "JWT"}
    told = json.loads(unbase64(claims))
    assert told["aud"] == "https:" + sent["audience"]
    assert sent["audience"].endswith(
        f"/projects/123456789012/locations/global/workloadIdentityPools/{pool}/providers/canary"
    )
    assert f"--issuer-uri={told['iss']}" in log.read_text()


def unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# With Terraform


@needs_terraform
def test_terraform_fmt_has_nothing_to_change():
    assert run("terraform", "fmt", "-check", "-recursive", "-diff", cwd=TERRAFORM).returncode == 0


@needs_terraform
def test_the_package_is_the_function_and_the_whole_product(checkout):
    """Terraform itself lists the files: its globs are not Python's."""
    for path in (checkout / "terraform").glob("*.tf"):
        if path.name != "package.tf":
            path.unlink()
    answer = run("terraform", "console", cwd=checkout / "terraform", stdin="jsonencode(local.source_files)")
    packed = json.loads(json.loads(answer.stdout))
    product = ROOT / "shared" / "callerid"
    expected = {
        "callerid/" + path.relative_to(product).as_posix(): path
        for path in product.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {path.name: path for path in (ROOT / "gcp_function").iterdir() if path.suffix in (".py", ".txt")}
    assert {"main.py", "requirements.txt"} <= set(expected)
    assert set(packed) == {*expected, "policy.yaml"}
    for name, path in expected.items():
        assert (checkout / "terraform" / packed[name]).read_text() == path.read_text()


def run(*command: str, cwd: Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess:
    env = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of what is deployed, with a policy where the user puts it."""
    return copy_to(tmp_path)


def copy_to(folder: Path) -> Path:
    for name in ("terraform", "gcp_function", "shared/callerid"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".terraform*", "build")
        )
    shutil.copy(ROOT / "examples" / "policy.yaml", folder / "gcp_function" / "policy.yaml")
    return folder


def settings(heading: str) -> str:
    """The terraform.tfvars that the page shows under a heading."""
    return re.search(rf"^#+ {heading}\n.*?```hcl\n(.*?)```", DOCS, re.MULTILINE | re.DOTALL)[1]


AWS_LEDGER = "dynamodb://callerid-Ledger-1A2B?region=us-east-1&role=arn:aws:iam::111111111111:role/callerid-google&audience=callerid"
SETTINGS = {
    "project": settings("A project"),
    "organization": settings("An organization"),
    "folder": """
        project_id            = "my-gcp-project"
        region                = "europe-west1"
        scope                 = { folder = "123456789012" }
        slack_channel         = ""
        notification_channels = ["projects/my-gcp-project/notificationChannels/1234567890"]
        audit_logs            = null
        policy                = "gs://my-policies/callerid/policy.yaml"
        aws_ledger            = "AWS_LEDGER_HERE"
    """.replace("AWS_LEDGER_HERE", AWS_LEDGER),
}


@pytest.fixture(scope="session")
def plans(tmp_path_factory) -> Callable[[str], str]:
    """The plan for settings, made once."""
    made: dict[str, str] = {}

    def plan(name: str) -> str:
        if name not in made:
            folder = copy_to(tmp_path_factory.mktemp(name))
            (folder / "given.tfvars").write_text(SETTINGS[name])
            answer = run(
                str(CHECK),
                "terraform",
                f"-var-file={folder / 'given.tfvars'}",
                cwd=folder,
                PLAN_OUT=str(folder / "plan"),
            )
            assert answer.returncode == 0, answer.stderr
            made[name] = (folder / "plan").read_text()
        return made[name]

    return plan


def planned(text: str) -> dict[str, str]:
    """What a plan creates, by address, each with single spaces."""
    created = re.findall(r"^  # (\S+) will be created\n(.*?)^    }$", text, re.MULTILINE | re.DOTALL)
    return {address: re.sub(r" +", " ", body) for address, body in created}


@needs_check
@pytest.mark.parametrize("name", SETTINGS)
def test_every_scope_has_one_sink_with_the_filter_and_one_topic_that_it_may_write_to(plans, name):
    resources = planned(plans(name))
    (sink,) = (body for address, body in resources.items() if "_sink.entries" in address)
    assert f'"google_logging_{name}_sink"' in sink
    assert ("include_children = true" in sink) is (name != "project")
    shown = re.search(r"<<-EOT\n(.*?)EOT", sink, re.DOTALL)[1]
    shown = re.sub(r"service-\S+?@", "service-123456789012@", shown)
    accepts = Filter(shown).accepts
    assert accepts(entry("sts", "google.identity.sts.v1.SecurityTokenService.ExchangeToken", {}))
    assert not accepts(entry("iamcredentials", "GenerateIdToken", {"principalEmail": SELF}, of=SELF))
    assert not accepts(entry("iamcredentials", "GenerateIdToken", {"principalEmail": AGENT}, of=PUSH))
    assert "roles/pubsub.publisher" in resources["google_pubsub_topic_iam_member.sink"]


@needs_check
@pytest.mark.parametrize(
    ("name", "services"), [("project", {"iam", "sts"}), ("organization", {"iam", "sts"}), ("folder", set())]
)
def test_audit_logs_are_switched_on_at_the_scope_or_left_alone(plans, name, services):
    configs = {address: body for address, body in planned(plans(name)).items() if "audit_config" in address}
    assert set(configs) == {f'google_{name}_iam_audit_config.scope["{service}.googleapis.com"]' for service in services}
    assert all(re.search(r'log_type += "ADMIN_READ"', body) for body in configs.values())


@needs_check
@pytest.mark.parametrize("name", SETTINGS)
def test_entries_are_pushed_with_a_token_retried_and_put_aside(plans, name):
    resources = planned(plans(name))
    push = resources["google_pubsub_subscription.entries"]
    assert "oidc_token" in push
    assert 'minimum_backoff = "60s"' in push
    assert re.search(
        r"dead_letter_policy \{\s+\+ dead_letter_topic += \(known after apply\)\s+\+ max_delivery_attempts = \d", push
    )
    assert "push_config" not in resources["google_pubsub_subscription.dead_letter"]
    assert all(
        "expiration_policy" in body
        for address, body in resources.items()
        if address.startswith("google_pubsub_subscription.")
    )
    jobs = [body for address, body in resources.items() if "scheduler_job" in address]
    assert len(jobs) == 2
    assert all("oidc_token" in job for job in jobs)


@needs_check
@pytest.mark.parametrize("name", SETTINGS)
def test_the_function_is_closed_bounded_and_knows_where_everything_is(plans, name):
    function = planned(plans(name))["google_cloudfunctions2_function.monitor"]
    for line in (
        'runtime = "python313"',
        'entry_point = "handle"',
        'ingress_settings = "ALLOW_INTERNAL_ONLY"',
        "timeout_seconds = 540",
        'key = "CALLERID_SLACK_TOKEN"',
    ):
        assert line in function
    assert re.search(r"max_instance_count = \d+\n", function)
    assert "event_trigger" not in function


@needs_check
@pytest.mark.parametrize("name", SETTINGS)
def test_the_ledger_is_kept_and_its_rows_expire(plans, name):
    resources = planned(plans(name))
    assert 'delete_protection_state = "DELETE_PROTECTION_ENABLED"' in resources["google_firestore_database.ledger"]
    field = resources["google_firestore_field.expires"]
    assert all(part in field for part in ('collection = "rows"', 'field = "expires"', "ttl_config {}"))


def test_another_region_leaves_the_ledger_where_it_is():
    """Its place can't be changed: to replace it is to let go of what was counted, and the name is still taken."""
    assert "ignore_changes = [location_id]" in blocks("resource")["google_firestore_database.ledger"]


@needs_check
@pytest.mark.parametrize(
    ("name", "optional"),
    [
        ("project", set()),
        ("folder", {"google_storage_bucket_iam_member.policy"}),
        (
            "organization",
            {
                "google_project_iam_member.lambda_ledger",
                "google_pubsub_topic_iam_member.history",
                "google_secret_manager_secret_iam_member.policy",
                "google_service_account_iam_member.lambda",
                "google_storage_bucket_iam_member.history",
            },
        ),
    ],
)
def test_a_plan_grants_what_its_settings_ask_for_and_nothing_to_all(plans, name, optional):
    plan = plans(name)
    roles = re.compile(r'^ \+ role = "(.*)"$', re.MULTILINE)
    given = {
        address.partition("[")[0]: roles.search(body)[1]
        for address, body in planned(plan).items()
        if "_iam_member." in address
    }
    always = {address for address in GRANTS if not re.search(r"\.(policy|history|lambda|lambda_ledger)$", address)}
    assert given == {address: GRANTS[address][0] for address in always | optional}
    assert "allUsers" not in plan
    assert "allAuthenticatedUsers" not in plan


@needs_check
def test_the_lambdas_roles_and_no_others_may_act_as_the_account_of_their_ledger(plans):
    """The provider refuses every other role of the AWS account, and the account lets in these alone."""
    resources = planned(plans("organization"))
    arns = [f"arn:aws:sts::111111111111:assumed-role/callerid-{name}" for name in ("judge", "tasks")]
    provider = resources['google_iam_workload_identity_pool_provider.aws["this"]']
    assert f"attribute_condition = \"attribute.aws_role in ['{arns[0]}', '{arns[1]}']\"" in provider
    assert '"google.subject" = "assertion.arn"' in provider
    assert 'account_id = "111111111111"' in provider
    members = {address for address in resources if address.startswith("google_service_account_iam_member.lambda")}
    assert members == {f'google_service_account_iam_member.lambda["callerid-{name}"]' for name in ("judge", "tasks")}
    assert "principalSet://iam.googleapis.com/%s/attribute.aws_role/%s" in TEXTS["aws.tf"]
    assert "resource.name" in resources['google_project_iam_member.lambda_ledger["this"]']


@needs_check
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("project", "firestore://my-gcp-project/callerid"),
        ("organization", "firestore://my-gcp-project/callerid"),
        ("folder", AWS_LEDGER),
    ],
)
def test_the_function_is_given_a_ledger_that_it_understands(plans, name, url):
    function = planned(plans(name))["google_cloudfunctions2_function.monitor"]
    assert f'"CALLERID_LEDGER" = "{url}"' in function
    assert f'ledger = "{url.partition("?")[0]}"' in re.sub(" +", " ", plans(name))


@needs_check
@pytest.mark.parametrize("name", SETTINGS)
def test_somebody_is_told_by_every_alert(plans, name):
    alerts = {address: body for address, body in planned(plans(name)).items() if "alert_policy" in address}
    assert len(alerts) == (9 if name == "project" else 8)  # a folder's or an organization's sink has no metric
    assert all("notification_channels" in body for body in alerts.values())


@needs_terraform
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('project_id = "My Project"', "expected a project id"),
        ('region = "eu"', "expected a region"),
        ("scope = {}", "expected exactly one of project, folder and organization"),
        (
            'scope = { project = "my-gcp-project", folder = "1" }',
            "expected exactly one of project, folder and organization",
        ),
        ('scope = { project = "123456789012" }', "expected a project id"),
        ('scope = { folder = "folders/12" }', "given by its number alone"),
        ('slack_channel = "#alerts"', "expected a channel's id"),
        ('alert_email = "ops"', "expected one e-mail address"),
        ("alert_email = null", "nobody would hear of it"),
        ('notification_channels = ["email"]', "expected names such as"),
        ('policy = "s3://bucket/policy.yaml"', "expected package:policy.yaml"),
        ('watched_service_accounts = ["jamie@example.com"]', "expected e-mail addresses of service accounts"),
        ('audit_logs = { "sts.googleapis.com" = { ADMIN_READ = [] } }', "must both have ADMIN_READ"),
        ('audit_logs = { "iamcredentials.googleapis.com" = { ADMIN_READ = [] } }', "can't be switched on by itself"),
        ('audit_logs = { "sts.googleapis.com" = { ALL = [] } }', "a log type is ADMIN_READ, DATA_READ or DATA_WRITE"),
        ('name = "c"', "expected 4 to 20"),
        ('time_zone = "berlin"', "expected a name of the time zone database"),
        ('summary_schedule = "weekly"', "expected five fields of cron"),
        ("max_instances = 0", "expected a whole number from 1 to 100"),
        ("max_delivery_attempts = 4", "expected 5 to 100"),
        ("silence_hours = 24", "expected 1 to 23"),
        ('access_portal = "https://my-portal.awsapps.com"', "expected the portal's name"),
        ('runbooks_url = "http://example.com"', "expected an https address"),
        ('history_bucket = "gs://my-logs"', "without gs://"),
        ('aws_lambda = { account_id = "1" }', "expected an account of 12 digits"),
        ('aws_lambda = { account_id = "111111111111", roles = [] }', "expected an account of 12 digits and names"),
        ('aws_lambda = { account_id = "111111111111", roles = ["x/y"] }', "neither ARNs nor paths"),
        ('aws_ledger = "dynamodb://callerid"', "expected dynamodb://TABLE?region=REGION"),
        (
            f'aws_ledger = "{AWS_LEDGER}"\naws_lambda = {{ account_id = "111111111111" }}',
            "one ledger serves both clouds",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(tmp_path, setting, message):
    shutil.copy(TERRAFORM / "variables.tf", tmp_path)
    given = dict(re.findall(r"^(\w+) += (.*)$", f"{SETTINGS['project']}{setting}", re.MULTILINE))
    (tmp_path / "terraform.tfvars").write_text("".join(f"{name} = {value}\n" for name, value in given.items()))
    answer = run("terraform", "plan", "-input=false", "-no-color", cwd=tmp_path)
    assert answer.returncode == 1
    assert message in " ".join(answer.stderr.split())


@needs_terraform
@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_that_the_page_shows_are_good(tmp_path, name):
    shutil.copy(TERRAFORM / "variables.tf", tmp_path)
    (tmp_path / "terraform.tfvars").write_text(SETTINGS[name])
    assert run("terraform", "plan", "-input=false", cwd=tmp_path).returncode == 0


@needs_check
def test_a_package_without_its_policy_is_refused_before_anything_is_made(checkout):
    (checkout / "gcp_function" / "policy.yaml").unlink()
    (checkout / "given.tfvars").write_text(SETTINGS["project"])
    answer = run(str(CHECK), "terraform", f"-var-file={checkout / 'given.tfvars'}", cwd=checkout)
    assert answer.returncode != 0
    assert "Copy examples/policy.yaml to it" in " ".join(answer.stderr.split())
