"""Cloud Audit Log lines of an invented project, in the layout that a log sink writes to Cloud Storage.

https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
https://cloud.google.com/iam/docs/audit-logging/examples-workload-identity
"""

# ruff: noqa: E501  # templates read better than JSON broken in the middle

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import tenant
from fields import NAMES, Fields, address, lower_id, opaque

ACCOUNT_COUNT = 80
_SESSION_COUNT = 200
_TYPE = '"@type":"type.googleapis.com/google.cloud.audit.AuditLog"'
_AGENTS = (
    "google-cloud-sdk gcloud/540.0.0 command/gcloud.storage.cp invocation-id/%s environment/GCE interactive/False",
    "gcloud-python/3.4.0 grpc-python/1.75.0 grpc-c/48.0.0 (linux; chttp2),gzip(gfe)",
    "google-api-go-client/0.5 kubelet/v1.33.4 (linux/amd64) kubernetes/1a2b3c4,gzip(gfe)",
)


class Method(NamedTuple):
    """One kind of call: the service, the method, the monitored resource, and templates for what it shows."""

    service: str
    name: str
    kind: str
    resource: str
    request: str
    response: str
    permissions: tuple[str, ...]


_OBJECT = "projects/_/buckets/%(name)s/objects/day=2026-11-02/part-%(number)s.parquet"
_METHODS = (
    Method(
        "storage.googleapis.com", "storage.objects.create", "gcs_bucket", _OBJECT,
        '{"insertObjectSpec":{"projection":"NO_ACL","resource":{"bucket":"%(name)s","storageClass":"STANDARD"'
        ',"contentType":"application/octet-stream","name":"day=2026-11-02/part-%(number)s.parquet"}}'
        ',"objectChecksums":{"md5Hash":"%(hash)s"}}',
        '{"bucket":"%(name)s","name":"day=2026-11-02/part-%(number)s.parquet","metageneration":"1","md5Hash":"%(hash)s"'
        ',"storageClass":"STANDARD","generation":"%(big)s000001","contentType":"application/octet-stream","size":"%(number)s"}',
        ("storage.objects.delete", "storage.objects.create"),
    ),
    Method(
        "storage.googleapis.com", "storage.objects.get", "gcs_bucket", _OBJECT, "", "", ("storage.objects.get",),
    ),
    Method(
        "bigquery.googleapis.com", "google.cloud.bigquery.v2.JobService.InsertJob", "bigquery_project",
        "projects/acme-data/jobs/job_%(hex)s",
        '{"@type":"type.googleapis.com/google.cloud.bigquery.v2.InsertJobRequest","projectId":"acme-data","job":{"configuration"'
        ':{"query":{"query":"SELECT tenant, day, SUM(amount) AS amount, COUNT(*) AS orders FROM `acme-data.%(name)s.orders` WHERE'
        ' day BETWEEN DATE_SUB(CURRENT_DATE(), INTERVAL 28 DAY) AND CURRENT_DATE() GROUP BY tenant, day ORDER BY day, tenant"'
        ',"destinationTable":{"projectId":"acme-data","datasetId":"%(other)s","tableId":"orders_daily"}'
        ',"createDisposition":"CREATE_IF_NEEDED","writeDisposition":"WRITE_TRUNCATE","priority":"INTERACTIVE"'
        ',"useLegacySql":false,"useQueryCache":true},"jobType":"QUERY","labels":{"team":"data","stage":"prod"}}}}',
        '{"@type":"type.googleapis.com/google.cloud.bigquery.v2.Job","status":{"state":"RUNNING"},"jobReference":{"projectId"'
        ':"acme-data","jobId":"job_%(hex)s","location":"US"},"statistics":{"creationTime":"%(big)s000"}}',
        ("bigquery.jobs.create",),
    ),
    Method(
        "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion",
        "audited_resource", "projects/123456789012/secrets/%(name)s/versions/latest",
        '{"@type":"type.googleapis.com/google.cloud.secretmanager.v1.AccessSecretVersionRequest"'
        ',"name":"projects/acme-data/secrets/%(name)s/versions/latest"}',
        "", ("secretmanager.versions.access",),
    ),
    Method(
        "compute.googleapis.com", "v1.compute.instances.insert", "gce_instance",
        "projects/acme-data/zones/europe-west1-b/instances/%(name)s",
        '{"@type":"type.googleapis.com/compute.instances.insert","name":"%(name)s","machineType":"projects/acme-data/zones/'
        'europe-west1-b/machineTypes/e2-standard-4","canIpForward":false,"disks":[{"type":"PERSISTENT","mode":"READ_WRITE"'
        ',"boot":true,"autoDelete":true,"initializeParams":{"sourceImage":"projects/acme-images/global/images/family/base"'
        ',"diskSizeGb":"50","diskType":"projects/acme-data/zones/europe-west1-b/diskTypes/pd-balanced"}}]'
        ',"networkInterfaces":[{"network":"projects/acme-data/global/networks/main","subnetwork":"projects/acme-data/regions/'
        'europe-west1/subnetworks/main"}],"labels":[{"key":"team","value":"%(other)s"}],"scheduling":{"preemptible":true}}',
        '{"@type":"type.googleapis.com/operation","id":"%(big)s","name":"operation-%(hex)s","zone":"https://www.googleapis.com/'
        'compute/v1/projects/acme-data/zones/europe-west1-b","operationType":"insert","status":"RUNNING","progress":"0"'
        ',"targetLink":"https://www.googleapis.com/compute/v1/projects/acme-data/zones/europe-west1-b/instances/%(name)s"}',
        ("compute.instances.create", "compute.disks.create", "compute.subnetworks.use"),
    ),
    Method(
        "pubsub.googleapis.com", "google.pubsub.v1.Publisher.GetTopic", "pubsub_topic",
        "projects/acme-data/topics/%(name)s",
        '{"@type":"type.googleapis.com/google.pubsub.v1.GetTopicRequest","topic":"projects/acme-data/topics/%(name)s"}',
        '{"@type":"type.googleapis.com/google.pubsub.v1.Topic","name":"projects/acme-data/topics/%(name)s"'
        ',"messageStoragePolicy":{"allowedPersistenceRegions":["europe-west1","europe-west3","europe-west4"]}'
        ',"labels":{"team":"%(other)s"}}',
        ("pubsub.topics.get",),
    ),
    Method(
        "cloudkms.googleapis.com", "Decrypt", "cloudkms_cryptokey",
        "projects/acme-data/locations/europe-west1/keyRings/main/cryptoKeys/%(name)s",
        '{"@type":"type.googleapis.com/google.cloud.kms.v1.DecryptRequest","name":"projects/acme-data/locations/europe-west1/'
        'keyRings/main/cryptoKeys/%(name)s"}',
        "", ("cloudkms.cryptoKeyVersions.useToDecrypt",),
    ),
    Method(
        "k8s.io", "io.k8s.core.v1.configmaps.update", "k8s_cluster",
        "core/v1/namespaces/%(name)s/configmaps/leader",
        '{"@type":"core.k8s.io/v1.ConfigMap","apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"leader","namespace":"%(name)s"'
        ',"resourceVersion":"%(big)s","annotations":{"control-plane.alpha.kubernetes.io/leader":"{\\"holderIdentity\\":\\"%(other)s\\"'
        ',\\"leaseDurationSeconds\\":15,\\"leaderTransitions\\":4}"},"managedFields":[{"manager":"controller","operation":"Update"'
        ',"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{".":{}}}}}]}}',
        '{"@type":"core.k8s.io/v1.ConfigMap","apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"leader","namespace":"%(name)s"'
        ',"resourceVersion":"%(big)s","creationTimestamp":"2026-01-12T09:14:55Z"}}',
        ("io.k8s.core.v1.configmaps.update",),
    ),
)  # fmt: skip


def lines(seed: int, file: int, start_s: int) -> Iterator[str]:
    """Yield the lines of a log file, without end; the same for the same seed and file."""
    rng = random.Random(f"{seed}/audit/{file}")
    kinds, shares = zip(*_MIX, strict=True)
    while True:
        for kind in rng.choices(kinds, shares, k=256):
            yield kind(rng, _time(rng, start_s))


def _time(rng: random.Random, start_s: int) -> str:
    second = start_s + rng.randrange(3600)
    day, rest = divmod(second, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"2026-11-{2 + day:02d}T{clock}.{rng.randrange(10**6):06d}"


def _entry(
    rng: random.Random,
    time: str,
    method: Method,
    authentication: str,
    *,
    labels: str = "",
    metadata: str = "",
    denied: str = "",
) -> str:
    """Return one line; ``authentication`` is what stands within ``authenticationInfo``."""
    fields = Fields(rng)
    resource = method.resource % fields
    grants = ",".join(
        f'{{"resource":"{resource}","permission":"{permission}","granted":{"false" if denied else "true"}'
        ',"resourceAttributes":{"service":"'
        + method.service
        + '","name":"'
        + resource
        + '"},"permissionType":"DATA_READ"}'
        for permission in method.permissions
    )
    agent = rng.choice(_AGENTS).replace("%s", f"{rng.getrandbits(64):016x}")
    request = f'"request":{method.request % fields},' if method.request else ""
    response = f'"response":{method.response % fields},' if method.response and not denied else ""
    status = f'{{"code":7,"message":"{denied}"}}' if denied else "{}"
    return (
        f'{{"protoPayload":{{{_TYPE},"status":{status},"authenticationInfo":{{{authentication}}},"requestMetadata":'
        f'{{"callerIp":"{address(rng)}","callerSuppliedUserAgent":"{agent}","requestAttributes":{{"time":"{time}1Z","auth":{{}}'
        f',"reason":"{opaque(rng, 36)}"}},"destinationAttributes":{{}}}}'
        f',"serviceName":"{method.service}","methodName":"{method.name}","authorizationInfo":[{grants}]'
        f',"resourceName":"{resource}",{request}{response}{metadata}"resourceLocation":{{"currentLocations":["europe-west1"]}}}}'
        f',"insertId":"{lower_id(rng, 13)}","resource":{{"type":"{method.kind}","labels":{{"project_id":"{tenant.PROJECT}"'
        f',"location":"europe-west1"{labels}}}}},"timestamp":"{time}842Z","severity":"{"ERROR" if denied else "INFO"}"'
        f',"logName":"projects/{tenant.PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access"'
        f',"receiveTimestamp":"{time}997Z"}}'
    )


def _ordinary(rng: random.Random, time: str) -> str:
    """Write a call by a service account that nobody requires anything of; some run under a key."""
    number = int(ACCOUNT_COUNT * rng.random() ** 2)
    email = tenant.service_account(f"svc-{NAMES[number]}")
    key = ""
    if number % 10 == 3:
        key = f',"serviceAccountKeyName":"//iam.googleapis.com/projects/{tenant.PROJECT}/serviceAccounts/{email}/keys/{number:040x}"'
    more = f'"principalEmail":"{email}"{key},"principalSubject":"serviceAccount:{email}"'
    denied = "Permission denied on resource (or it may not exist)." if rng.random() < 0.02 else ""
    return _entry(rng, time, rng.choice(_METHODS), more, denied=denied)


def _by_user(rng: random.Random, time: str) -> str:
    email = f"user{rng.randrange(60)}@example.com"
    return _entry(rng, time, rng.choice(_METHODS), f'"principalEmail":"{email}","principalSubject":"user:{email}"')


def _by_nobody(rng: random.Random, time: str) -> str:
    """Write a call that names nobody: redacted where it was denied."""
    return _entry(rng, time, rng.choice(_METHODS), "", denied="Permission denied." if rng.random() < 0.8 else "")


def _without_origin(rng: random.Random, time: str) -> str:
    email = tenant.ORIGIN_ACCOUNT
    return _entry(
        rng, time, rng.choice(_METHODS), f'"principalEmail":"{email}","principalSubject":"serviceAccount:{email}"'
    )


def _aws_caller(rng: random.Random) -> tuple[str, str, str]:
    """Return a subject from AWS, its pool and its provider; a few are of a role that nobody listed."""
    role = rng.choices(("batch", "loader", "shadow"), (60, 36, 4))[0]
    session = f"{role}-{rng.randrange(_SESSION_COUNT):03d}"
    arn = f"arn:aws:sts::{tenant.ACCOUNT}:assumed-role/{role}/{session}"
    return arn, tenant.AWS_POOL, tenant.AWS_PROVIDER


def _github_caller(rng: random.Random) -> tuple[str, str, str]:
    subject = rng.choices((tenant.RELEASE_SUBJECT, tenant.DOCS_SUBJECT, tenant.UNLISTED_SUBJECTS[0]), (70, 26, 4))[0]
    return subject, tenant.GITHUB_POOL, tenant.GITHUB_PROVIDER


def _principal(pool: str, subject: str) -> str:
    return f"principal://iam.googleapis.com/{pool}/subject/{subject}"


def _exchange(rng: random.Random, time: str) -> str:
    subject, pool, provider = _aws_caller(rng) if rng.random() < 0.75 else _github_caller(rng)
    token = "aws:token-type:aws4_request" if pool == tenant.AWS_POOL else "oauth:token-type:jwt"
    method = Method(
        "sts.googleapis.com", "google.identity.sts.v1.SecurityTokenService.ExchangeToken", "audited_resource", provider,
        '{"@type":"type.googleapis.com/google.identity.sts.v1.ExchangeTokenRequest","audience":"//iam.googleapis.com/'
        f'{provider}","grantType":"urn:ietf:params:oauth:grant-type:token-exchange","requestedTokenType":"urn:ietf:params:'
        f'oauth:token-type:access_token","subjectTokenType":"urn:ietf:params:{token}"}}',
        "", ("sts.identityProviders.checkLogging",),
    )  # fmt: skip
    labels = f',"service":"{method.service}","method":"{method.name}"'
    draw = rng.random()
    if draw < 0.01:
        return _entry(rng, time, method, "", labels=labels)
    if draw < 0.02:
        return _entry(rng, time, method, "", labels=labels, denied="The given credential is rejected.")
    mapped = f'"metadata":{{"mapped_principal":"{_principal(pool, subject)}"}},' if draw > 0.04 else ""
    return _entry(rng, time, method, f'"principalSubject":"{subject}"', labels=labels, metadata=mapped)


def _impersonation(rng: random.Random, time: str) -> str:
    subject, pool, _ = _aws_caller(rng) if rng.random() < 0.75 else _github_caller(rng)
    email = tenant.TARGET_ACCOUNT if pool == tenant.AWS_POOL else tenant.RELEASE_ACCOUNT
    method = Method(
        "iamcredentials.googleapis.com", "GenerateAccessToken", "service_account",
        "projects/-/serviceAccounts/110000000000000000007",
        '{"@type":"type.googleapis.com/google.iam.credentials.v1.GenerateAccessTokenRequest","name":"projects/-/serviceAccounts/'
        f'{email}","scope":["https://www.googleapis.com/auth/cloud-platform"],"lifetime":"3600s"}}',
        "", ("iam.serviceAccounts.getAccessToken",),
    )  # fmt: skip
    labels = f',"email_id":"{email}","unique_id":"110000000000000000007"'
    if rng.random() < 0.02:
        return _entry(rng, time, method, "", labels=labels, denied="Permission 'getAccessToken' denied.")
    return _entry(rng, time, method, f'"principalSubject":"{_principal(pool, subject)}"', labels=labels)


def _delegated(rng: random.Random, time: str) -> str:
    subject, pool, _ = _aws_caller(rng)
    email = tenant.TARGET_ACCOUNT
    chain = f'[{{"principalSubject":"{_principal(pool, subject)}"}}]' if rng.random() > 0.01 else "[{}]"
    more = (
        f'"principalEmail":"{email}","serviceAccountDelegationInfo":{chain},"principalSubject":"serviceAccount:{email}"'
    )
    return _entry(rng, time, rng.choice(_METHODS), more)


def _direct(rng: random.Random, time: str) -> str:
    subject = tenant.DOCS_SUBJECT if rng.random() < 0.95 else tenant.UNLISTED_SUBJECTS[0]
    method = Method(
        "storage.googleapis.com", "storage.objects.create", "gcs_bucket",
        "projects/_/buckets/acme-docs-site/objects/page-%(number)s.html", "",
        f'{{"bucket":"acme-docs-site","etag":"{opaque(rng, 6)}","metageneration":"1"}}', ("storage.objects.create",),
    )  # fmt: skip
    return _entry(rng, time, method, f'"principalSubject":"{_principal(tenant.GITHUB_POOL, subject)}"')


_MIX: tuple[tuple[Callable[[random.Random, str], str], float], ...] = (
    (_ordinary, 88),
    (_by_user, 1.5),
    (_by_nobody, 0.2),
    (_without_origin, 1.3),
    (_exchange, 3),
    (_impersonation, 2.5),
    (_delegated, 2.5),
    (_direct, 1),
)
