"""What IAM holds of an account, by boto3: its roles' trust policies and its identity providers. Nothing is written.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetOpenIDConnectProvider.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from callerid.drift.denied import NoAccessError
from callerid.drift.roles import Account, Role

_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 6})
"""ListRoles is throttled per account, and a large one has thousands of pages."""


def read(region: str | None) -> Account:
    """Return what IAM holds of the account whose credentials the environment has.

    Raises:
        NoAccessError: where something may not be read; it names the permission.
    """
    with _asking("sts:GetCallerIdentity"):
        number = boto3.client("sts", region_name=region or "us-east-1", config=_CONFIG).get_caller_identity()["Account"]
    iam = boto3.client("iam", region_name=region or "us-east-1", config=_CONFIG)
    return Account(number, list(_roles(iam)), dict(_providers(iam)))


def _roles(iam: Any) -> Iterator[Role]:
    with _asking("iam:ListRoles"):
        for page in iam.get_paginator("list_roles").paginate():
            yield from (Role(role["Arn"], role.get("AssumeRolePolicyDocument")) for role in page["Roles"])


def _providers(iam: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    with _asking("iam:ListOpenIDConnectProviders"):
        names = [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    for name in names:
        with _asking("iam:GetOpenIDConnectProvider"):
            yield name, tuple(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=name).get("ClientIDList", ()))
    with _asking("iam:ListSAMLProviders"):
        yield from ((one["Arn"], ()) for one in iam.list_saml_providers()["SAMLProviderList"])


@contextmanager
def _asking(permission: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        _refuse(permission, error)


_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def _refuse(permission: str, error: ClientError | BotoCoreError) -> NoReturn:
    """Name what is missing; AWS's own message may quote what was sent."""
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else type(error).__name__
    if code in _DENIED:
        raise NoAccessError(f"AWS refuses {permission}: give this permission to who runs drift") from error
    raise NoAccessError(f"AWS can't be asked for {permission}: {code}") from error
