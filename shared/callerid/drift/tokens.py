"""Those who could come to a Google provider: the book's callers, and strangers made up from its condition's texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from callerid.drift.pools import Provider, Token
from callerid.drift.visitors import STRANGER, exemplars, workflow
from callerid.names import arn, github
from callerid.refusal.allowed import Allowed, spelled
from callerid.refusal.gcp import sessions

_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'')
_NOBODYS = "999999999999"


def listed(one: Allowed, provider: Provider) -> Iterator[Token]:
    """Yield a caller's identity as a provider would see it; none that doesn't come through one of its sort."""
    identity = one.identity
    if provider.kind == "aws":
        for role in exemplars([identity.aws_role]) if identity.aws_role else ():
            yield token(provider, sessions(role) + STRANGER)
        for user in exemplars([identity.iam_user]) if identity.iam_user else ():
            yield token(provider, user)
        if identity.aws_account:
            yield token(provider, f"arn:aws:sts::{identity.aws_account}:assumed-role/{STRANGER}/{STRANGER}")
    elif identity.azure_managed_identity and provider.kind == "oidc":
        yield token(provider, identity.azure_managed_identity.lower())
    elif identity.saml and provider.kind == "saml":
        yield from (token(provider, subject) for subject in exemplars([identity.saml.subject]))
    elif provider.kind == "oidc":
        for each in spelled(one):
            oidc = each.identity.oidc
            if oidc is not None and arn.issuer_of(oidc.issuer) == provider.issuer:
                yield from (token(provider, subject) for subject in exemplars([oidc.subject]))


def strangers(provider: Provider, texts: Iterable[str] = ()) -> Iterator[Token]:
    """Yield others: one for each text of the condition, and whoever the issuer knows. ``texts``: further ones."""
    held = [one or other for one, other in _TEXT.findall(provider.condition)]
    for text in dict.fromkeys((*held, *texts)):
        if len(text) > 1:
            yield from (token(provider, subject) for subject in _subjects(provider, text))
    yield from (token(provider, subject) for subject in _subjects(provider, ""))


def _subjects(provider: Provider, text: str) -> Iterator[str]:
    if provider.kind == "aws":
        account = text if re.fullmatch(r"\d{12}", text) else provider.issuer or _NOBODYS
        if text.startswith("arn:"):
            yield from (text, f"{text.rstrip('/')}/{STRANGER}", f"{text}{STRANGER}")
        yield f"arn:aws:sts::{account}:assumed-role/{STRANGER}/{STRANGER}"
        yield f"arn:aws:iam::{account}:user/{STRANGER}"
    elif provider.kind == "oidc" and github.is_issuer(provider.issuer):
        yield from _workflows(text)
    else:
        yield from dict.fromkeys((text, f"{text}{STRANGER}")) if text else (STRANGER,)


def _workflows(text: str) -> Iterator[str]:
    """Yield workflows of an owner, of a repository, of an id, or under the beginning of a subject."""
    if text.startswith("repo:"):
        yield from (text, *exemplars([f"{text}*"]))
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        yield from exemplars([f"repo:{text}:*"])
    elif text.isdigit():
        yield f"repo:{STRANGER}@{text}/repository@1:ref:refs/heads/main"
        yield f"repo:{STRANGER}@1/repository@{text}:ref:refs/heads/main"
    elif re.fullmatch(r"[\w.-]+", text):
        yield from exemplars([f"repo:{text}/*"])
        yield f"repo:{STRANGER}/repository:environment:{text}"
    elif text.startswith("refs/"):
        yield f"repo:{STRANGER}/repository:ref:{text}"
    elif not text:
        yield f"repo:{STRANGER}/repository:ref:refs/heads/main"


def token(provider: Provider, subject: str) -> Token:
    """Return what a provider sees of a subject: the claims that it repeats, and no others."""
    if provider.kind == "aws":
        found = arn.parse(subject)
        return Token(subject, {"arn": subject, "account": found.account if found else ""})
    if provider.kind == "saml":
        return Token(subject, {"subject": subject})
    claims = {"sub": subject, "iss": f"https://{provider.issuer}"}
    if "login.microsoftonline.com" in provider.issuer or "sts.windows.net" in provider.issuer:
        claims["oid"] = subject
    return Token(subject, claims | workflow(provider.issuer, subject))
