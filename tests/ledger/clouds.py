"""What the two clouds answer on the keyless ways, over HTTP: each checks what it is sent as the real one would.

Google's metadata server, STS and IAM Credentials are played. In front of moto's AWS stands what moto leaves out: its STS
takes any token, and its DynamoDB any credentials.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import Request, urlopen

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

AUDIENCE, UNIQUE_ID = "callerid", "100000000000000000020"
ROLE = "arn:aws:iam::123456789012:role/callerid-google"  # in the account whose table moto holds
PROVIDER = "projects/123456789012/locations/global/workloadIdentityPools/callerid-aws/providers/callerid-aws"
ACCOUNT = "callerid-lambda@my-gcp-project.iam.gserviceaccount.com"
LAMBDA = {
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLEEXAMPLE099",
    "AWS_SECRET_ACCESS_KEY": "the-lambdas-own-secret",
    "AWS_SESSION_TOKEN": "the-lambdas-own-session-token",
    "AWS_REGION": "eu-central-1",
}
"""What Lambda puts into the environment of a function."""


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes


class Answer(NamedTuple):
    """What is answered."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed


@contextmanager
def served(answer: Callable[[Asked], Answer]) -> Iterator[str]:
    """Yield the address of a server that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer."""
            length = int(self.headers.get("Content-Length", 0))
            body, status, headers = answer(Asked(self.command, self.path, self.headers, self.rfile.read(length)))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815  # http.server's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))  # or it ends half a second late
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


class Metadata:
    """Google's metadata server. https://cloud.google.com/run/docs/securing/service-identity#identity_tokens."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.broken: Answer | None = None

    def __call__(self, asked: Asked) -> Answer:
        """Answer who the account is, and identity tokens of it."""
        assert asked.headers["Metadata-Flavor"] == "Google"
        url = urlsplit(asked.path)
        if url.path == "/computeMetadata/v1/instance/service-accounts/default/":
            return _json({"email": "callerid-function@my-gcp-project.iam.gserviceaccount.com", "scopes": []})
        assert url.path == "/computeMetadata/v1/instance/service-accounts/default/identity", url.path
        if self.broken:
            return self.broken
        (audience,) = parse_qs(url.query)["audience"]
        claims = {"aud": audience, "azp": UNIQUE_ID, "sub": UNIQUE_ID, "iss": "https://accounts.google.com"}
        parts = {"alg": "RS256"}, {**claims, "exp": 4_102_444_800, "jti": len(self.issued)}
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        self.issued.append(f"{token}.c2lnbmF0dXJl")
        return Answer(self.issued[-1].encode(), headers={"Content-Type": "text/html"})


class Aws:
    """What stands in front of moto: a trust policy, and credentials that must be the issued ones.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """

    def __init__(self, moto: str) -> None:
        self._moto = moto
        self.exchanges: list[dict[str, str]] = []
        self.lifetime = timedelta(hours=1)
        self.refused: str | None = None
        self.issued: list[tuple[str, ...]] = []
        self.used: list[str] = []

    def __call__(self, asked: Asked) -> Answer:
        """Exchange a token, or pass a request on."""
        if b"Action=AssumeRoleWithWebIdentity" in asked.body:
            return self._exchange(asked)
        key = re.search(r"Credential=([^/]+)/", asked.headers["Authorization"])[1]
        sent = key, asked.headers["X-Amz-Security-Token"]
        assert sent in [(issued[0], issued[2]) for issued in self.issued], "not issued for the role"
        self.used.append(key)
        return self._pass_on(asked)

    def _exchange(self, asked: Asked) -> Answer:
        assert "Authorization" not in asked.headers, "signed, so there was a key"
        request = {name: value for name, (value,) in parse_qs(asked.body.decode()).items()}
        self.exchanges.append(request)
        claims = request["WebIdentityToken"].split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        trusted = {"aud": AUDIENCE, "azp": UNIQUE_ID, "sub": UNIQUE_ID}.items() <= told.items()
        refused = self.refused or (None if trusted and request["RoleArn"] == ROLE else "AccessDenied")
        if refused:
            message = f"Not authorized: {request['WebIdentityToken']}"  # the worst that an answer may quote
            error = f"<Error><Type>Sender</Type><Code>{refused}</Code><Message>{message}</Message></Error>"
            return Answer(f"<ErrorResponse>{error}</ErrorResponse>".encode(), 403, {"Content-Type": "text/xml"})
        answer = self._pass_on(asked)
        until = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = re.sub(r"(?<=<Expiration>)[^<]+", until, answer.body.decode())
        names = "AccessKeyId", "SecretAccessKey", "SessionToken"
        self.issued.append(tuple(re.search(f"<{name}>([^<]+)", text)[1] for name in names))
        return answer._replace(body=text.encode())

    def _pass_on(self, asked: Asked) -> Answer:
        headers = {name: value for name, value in asked.headers.items() if name.lower() != "content-length"}
        try:
            response = urlopen(Request(self._moto + asked.path, asked.body, headers, method=asked.method))
        except HTTPError as error:
            response = error
        with response:
            return Answer(response.read(), response.status, {"Content-Type": response.headers["Content-Type"]})


class Google:
    """Google's STS and IAM Credentials.

    https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token,
    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self.steps: list[str] = []
        self.subject: dict[str, object] = {}
        self.lifetime = timedelta(hours=1)
        self.refused: dict[str, Answer] = {}
        self.federated = ""
        self.granted: list[str] = []

    def __call__(self, asked: Asked) -> Answer:
        """Exchange a signed request, or a federated token."""
        step = {"/v1/token": "exchange"}.get(asked.path, "impersonation")
        self.steps.append(step)
        answer = self._exchange(asked) if step == "exchange" else self._impersonation(asked)
        return self.refused.get(step, answer)

    def _exchange(self, asked: Asked) -> Answer:
        form = {name: value for name, (value,) in parse_qs(asked.body.decode()).items()}
        signed = json.loads(unquote(form.pop("subject_token")))
        assert form == {
            "audience": f"//iam.googleapis.com/{PROVIDER}",
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "scope": "https://www.googleapis.com/auth/iam",
            "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        }
        self.subject = signed | {"headers": {each["key"]: each["value"] for each in signed["headers"]}}
        if not signed_by_the_lambda(self.subject):
            return _json({"error": "invalid_grant", "error_description": f"wrong signature: {signed}"}, 400)
        self.federated = f"ya29.d.federated-{next(self._numbers)}"
        return _json({"access_token": self.federated, "expires_in": 3600, "token_type": "Bearer"})

    def _impersonation(self, asked: Asked) -> Answer:
        assert asked.path == f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
        assert asked.headers["Authorization"] == f"Bearer {self.federated}"
        assert json.loads(asked.body)["scope"] == ["https://www.googleapis.com/auth/datastore"]
        self.granted.append(f"ya29.c.account-{next(self._numbers)}")
        until = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _json({"accessToken": self.granted[-1], "expireTime": until})


def signed_by_the_lambda(subject: dict) -> bool:
    """Whether AWS would take the request: its signature made anew from what it says and the Lambda's secret."""
    sent = {name.lower(): value for name, value in subject["headers"].items()}
    names = re.search(r"SignedHeaders=([^,]+)", sent["authorization"])[1].split(";")
    request = AWSRequest(subject["method"], subject["url"], {name: sent[name] for name in names}, b"")
    request.context["timestamp"] = sent["x-amz-date"]
    signer = SigV4Auth(
        Credentials(LAMBDA["AWS_ACCESS_KEY_ID"], LAMBDA["AWS_SECRET_ACCESS_KEY"]), "sts", LAMBDA["AWS_REGION"]
    )
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return sent["authorization"].endswith(f"Signature={signer.signature(text, request)}")
