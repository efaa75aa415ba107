"""A setting says where a policy lies; its text comes from there."""

import base64
import json
from pathlib import Path

import boto3
import pytest
from google.auth.credentials import AnonymousCredentials

from callerid.policy.remote import FORMS, PolicySettingError, fetcher
from callerid.sources import google
from tests import parts
from tests.local import LocalServer, Quiet

TEXT = b"version: 1\n"


def test_a_policy_of_the_package_is_read_from_its_folder(tmp_path):
    (tmp_path / "policy.yaml").write_bytes(TEXT)
    assert fetcher("package:policy.yaml", tmp_path)() == TEXT


def test_a_policy_of_aws_is_read_from_s3_and_ssm(monkeypatch):
    with parts.moto() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="example-policies")
        boto3.client("s3").put_object(Bucket="example-policies", Key="a/policy.yaml", Body=TEXT)
        boto3.client("ssm").put_parameter(Name="/callerid/policy", Value=TEXT.decode(), Type="SecureString")
        assert fetcher("s3://example-policies/a/policy.yaml", Path())() == TEXT
        assert fetcher("ssm:/callerid/policy", Path())() == TEXT
        with pytest.raises(Exception, match="NoSuchKey"):
            fetcher("s3://example-policies/missing", Path())()


@pytest.fixture
def cloud(monkeypatch):
    """Cloud Storage and Secret Manager as far as a policy needs them."""
    asked = []

    class Handler(Quiet):
        def do_GET(self):  # noqa: N802  # http.server's name
            asked.append(self.path)
            payload = {"payload": {"data": base64.b64encode(TEXT).decode()}}
            answers = {
                "/storage/v1/b/example-policies/o/a%2Fpolicy.yaml?alt=media": TEXT,
                "/v1/projects/p/secrets/s/versions/latest:access": json.dumps(payload).encode(),
            }
            body = answers.get(self.path)
            self.reply(200 if body else 404, body or b"")

    with LocalServer(Handler) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        monkeypatch.setenv("CALLERID_SECRET_MANAGER_API", server.url)
        monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), None))
        google._session.cache_clear()
        yield asked
        google._session().close()
        google._session.cache_clear()


def test_a_policy_of_google_cloud_is_read_from_storage_and_secrets(cloud):
    assert fetcher("gs://example-policies/a/policy.yaml", Path())() == TEXT
    assert fetcher("secret:projects/p/secrets/s/versions/latest", Path())() == TEXT


def test_an_answer_that_is_no_success_is_named_and_not_quoted(cloud):
    with pytest.raises(google.GoogleError, match=r"^gs://example-policies/missing: HTTP 404$"):
        fetcher("gs://example-policies/missing", Path())()
    with pytest.raises(google.GoogleError, match=r"HTTP 404$"):
        fetcher("secret:projects/p/secrets/other/versions/1", Path())()


@pytest.mark.parametrize(
    "setting", ["", "policy.yaml", "package:", "s3://bucket", "gs://", "ssm:", "secret:name", "http://example.com/x"]
)
def test_any_other_setting_is_refused_with_the_forms_there_are(setting):
    with pytest.raises(PolicySettingError) as raised:
        fetcher(setting, Path())
    assert FORMS in str(raised.value)
