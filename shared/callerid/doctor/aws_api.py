"""One question to AWS, typed, with three ways to fail: not allowed, not there, no answer that is understood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from callerid.doctor.check import AbsentError, UnknownError, forbidden

_DENIED = ("AccessDenied", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized")
_ABSENT = ("NotFound", "NonExistentQueue", "QueueDoesNotExist", "NoSuch")
_BY_ORGANIZATION = "service control policy"
"""How the error says who refuses, where it is not the caller's own permissions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""
_EXEMPTED = "No grant helps. Ask as somebody whom it exempts; where it exempts STS, as AWS's own do, STS works there."

T = TypeVar("T")


class Aws(NamedTuple):
    """An account, as the environment's credentials see it."""

    client: Callable[[str, str], Any]
    """A client of a service in a region, boto3's."""
    region: str
    """Where the stack is."""

    def ask(self, service: str, operation: str, kind: type[T], *, region: str = "", **given: Any) -> T:
        """Return the answer to one question. What each needs is called ``SERVICE:OPERATION`` in IAM.

        Raises:
            UnknownError: where the permission is missing, nobody answers, or the answer has another shape.
            AbsentError: where there is no such thing.
        """
        from botocore import xform_name  # noqa: PLC0415  # only where AWS is asked
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        name = f"{service}:{operation}"
        try:
            answer = getattr(self.client(service, region or self.region), xform_name(operation))(**given)
        except ClientError as error:
            raise _failure(name, error.response.get("Error", {})) from error
        except BotoCoreError as error:
            raise UnknownError(f"{name}: no answer: {type(error).__name__}", "Credentials, region, network?") from error
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise UnknownError(f"{name}: an answer that is not understood: {error}", "Report this.") from error

    def pages(self, service: str, operation: str, kind: type[T], token: str, **given: Any) -> Iterator[T]:
        """Yield the answers to one question page by page; ``token`` is what a page calls the next one.

        Raises:
            As :meth:`ask`.
        """
        more: dict[str, str] = {}
        while True:
            answer = self.ask(service, operation, dict[str, Any], **given, **more)
            try:
                yield msgspec.convert(answer, kind)
            except msgspec.ValidationError as error:
                found = f"{service}:{operation}: an answer that is not understood: {error}"
                raise UnknownError(found, "Report this.") from error
            if not answer.get(token):
                return
            more = {token.replace("NextMarker", "Marker"): answer[token]}


def connect(region: str | None = None) -> Aws:
    """Return the account that the environment's credentials are for.

    Raises:
        ModuleNotFoundError: without the extra ``aws``.
        ValueError: where the environment names no region, or has no credentials.
    """
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        session = boto3.session.Session()
        where = region or session.region_name
        credentials = session.get_credentials()
    except BotoCoreError as error:  # a profile that is not there, a login that ended
        raise ValueError(f"no credentials: {error}") from error
    if not where:
        raise ValueError("no region: set AWS_REGION to the stack's")
    if credentials is None:
        raise ValueError("no credentials: aws sts get-caller-identity must name the stack's account")
    return Aws(cache(lambda service, at: session.client(service, region_name=at)), where)


def _failure(name: str, error: dict[str, Any]) -> UnknownError | AbsentError:
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    if any(word in code for word in _DENIED):
        if _BY_ORGANIZATION in message:
            return UnknownError(f"a {_BY_ORGANIZATION} forbids {name}", _EXEMPTED)
        return forbidden(name)
    # CloudFormation says of a stack that is not there: ValidationError.
    if any(word in code for word in _ABSENT) or (code == "ValidationError" and "does not exist" in message):
        return AbsentError(f"not there ({name})")
    return UnknownError(f"{name}: {code or 'no code'}", "Try again; if it stays, look the code up at AWS.")
