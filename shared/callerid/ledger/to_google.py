"""The way of the Lambda to a ledger on Google Cloud, without a key.

The Lambda's role signs a GetCallerIdentity request, which a Workload Identity provider takes for a federated token, and
IAM Credentials that one for an hour's token of a service account. See
https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds and
https://google.aip.dev/auth/4117.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any, NamedTuple

from google.auth import aws
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.transport.requests import Request

_SCOPE = "https://www.googleapis.com/auth/datastore"
_EXCHANGE = "https://sts.googleapis.com/v1/token"
_IMPERSONATION = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{}:generateAccessToken"
_GET_CALLER_IDENTITY = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
_CODE = re.compile("[A-Za-z_]{1,60}")


class Account(NamedTuple):
    """A service account that the Lambda's role may act as."""

    provider: str
    """Of the pool: ``projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER``."""
    service_account: str
    """The account's e-mail address."""


class RefusedError(RefreshError):
    """A step that was refused or not answered. The message says which, and quotes no answer."""

    def __init__(self, step: str, told: str) -> None:
        super().__init__(f"{step}: {told}")  # type: ignore[no-untyped-call]


class Credentials(aws.Credentials):
    """Credentials whose refusals say which step it was, and hold nothing that was sent.

    The library's own quote the answer, and an answer may quote the signed request with its session token; gRPC logs
    whatever is raised while it signs a call.
    """

    def retrieve_subject_token(self, request: Any) -> str:
        """Return the signed request; the environment's credentials sign it."""
        try:
            return str(super().retrieve_subject_token(request))  # type: ignore[no-untyped-call]
        except GoogleAuthError as error:
            told = type(error).__name__
        raise RefusedError("AWS credentials of the environment", told)

    def refresh(self, request: Any) -> None:
        """Fetch a new token. For the token of an account the library calls this once more, for the federated one."""
        try:
            super().refresh(request)  # type: ignore[no-untyped-call]
        except RefusedError:
            raise
        except (GoogleAuthError, ValueError, KeyError, TypeError) as error:  # the latter for answers that are none
            told = _code(error)
        else:
            return
        account = self.service_account_email
        step = f"IAM Credentials, access token of {account}" if account else f"Google STS, exchange at {self._audience}"
        raise RefusedError(step, told)


def credentials(account: Account) -> Credentials:
    """Return credentials of an account, for Firestore alone. Nothing is asked yet.

    The role's own credentials are read from the environment at each exchange, where Lambda has them, with the region.
    """
    return Credentials(  # type: ignore[no-untyped-call]
        audience=f"//iam.googleapis.com/{account.provider}",
        subject_token_type="urn:ietf:params:aws:token-type:aws4_request",  # noqa: S106  # the name of a type
        token_url=_EXCHANGE,
        credential_source={"environment_id": "aws1", "regional_cred_verification_url": _GET_CALLER_IDENTITY},
        service_account_impersonation_url=_IMPERSONATION.format(account.service_account),
        scopes=[_SCOPE],  # else the client would make a copy with its own, and renew that one
    )


def renew(credentials: Credentials, *, timeout_seconds: float) -> None:
    """Fetch a token where there is none, or none for much longer; each step may take ``timeout_seconds``.

    Raises:
        RefusedError: where a step is refused or not answered.
    """
    if not credentials.valid:
        credentials.refresh(partial(Request(), timeout=timeout_seconds))


def _code(error: Exception) -> str:
    """Return the code of an answer, the one part that quotes nothing; else what kind of error it is."""
    try:
        told = json.loads(error.args[1])["error"]
        code = told["status"] if isinstance(told, dict) else told
    except (IndexError, KeyError, TypeError, ValueError):
        code = ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else type(error).__name__
