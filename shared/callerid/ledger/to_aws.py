"""The way of the Cloud Function to a ledger on AWS, without a key.

The metadata server gives an identity token of the function's service account, and AWS STS an hour's credentials for
it, of a role that trusts this account. They are renewed ten to fifteen minutes before they end. See
https://cloud.google.com/run/docs/securing/service-identity and
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from google.auth.compute_engine import IDTokenCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from callerid.ledger.store import UnavailableError

SESSION_NAME = "callerid"
"""What CloudTrail shows as the session's name; who it is, the account's unique id says."""
_CONFIG = Config(
    signature_version=UNSIGNED, connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
)


class Role(NamedTuple):
    """A role that trusts this function's service account."""

    region: str
    """Of the ledger, and of the STS that is asked."""
    role: str
    """The role's ARN."""
    audience: str
    """What the role's trust policy has as ``accounts.google.com:oaud``."""


def client(service: str, role: Role, config: Config) -> Any:
    """Return botocore's client of a service with the credentials of a role, and with no others.

    Nothing is asked yet. A call of the client raises `UnavailableError` where a step on the way is refused, and says
    which one.
    """
    session = Session()
    session.register_component("credential_provider", CredentialResolver([_Provider(session, role)]))
    return session.create_client(service, region_name=role.region, config=config)


class _Provider(CredentialProvider):  # type: ignore[misc]  # botocore is untyped
    """The one place where a session of botocore looks for credentials."""

    METHOD = "callerid-web-identity"

    def __init__(self, session: Any, role: Role) -> None:
        super().__init__(session)
        self._role = role

    def load(self) -> DeferredRefreshableCredentials:
        """Return credentials that are fetched when first needed."""
        return DeferredRefreshableCredentials(refresh_using=self._assume, method=self.METHOD)

    def _assume(self) -> dict[str, str]:
        """Return credentials as botocore renews them.

        Of a refusal the code is told alone: messages of both clouds may quote what was sent. It is raised outside
        the handler, so that not even its cause can be logged.
        """
        token = _identity_token(self._role.audience)
        sts = self.session.create_client("sts", region_name=self._role.region, config=_CONFIG)
        try:
            with closing(sts):
                answer = sts.assume_role_with_web_identity(
                    RoleArn=self._role.role, RoleSessionName=SESSION_NAME, WebIdentityToken=token
                )["Credentials"]
        except ClientError as error:
            told = str(error.response["Error"]["Code"])
        except BotoCoreError as error:
            told = type(error).__name__
        else:
            return {
                "access_key": answer["AccessKeyId"],
                "secret_key": answer["SecretAccessKey"],
                "token": answer["SessionToken"],
                "expiry_time": answer["Expiration"].isoformat(),
            }
        raise UnavailableError(f"AWS STS, AssumeRoleWithWebIdentity of {self._role.role}: {told}")


def _identity_token(audience: str) -> str:
    """Return an identity token of this function's own account; a key in the environment is not looked for."""
    request = Request()
    try:
        credentials: Any = IDTokenCredentials(request, audience, use_metadata_identity_endpoint=True)  # type: ignore[no-untyped-call]
        credentials.refresh(request)
    except (GoogleAuthError, ValueError) as error:  # the latter for a token that is none, and which it quotes
        told = type(error).__name__
    else:
        return str(credentials.token)
    raise UnavailableError(f"Google's metadata server, identity token for {audience}: {told}")
