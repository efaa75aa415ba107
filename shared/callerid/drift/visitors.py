"""Those who could ask for a role: what IAM knows of each, what each may choose, and the access that callerid would see.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice, product
from typing import Any, NamedTuple

from msgspec.structs import replace

from callerid.access import Access, Claim, Cloud, Form, Kind, Scope
from callerid.aws.call import arn_claims
from callerid.aws.record import POD_IDENTITY, ROLES_ANYWHERE
from callerid.drift.trust import Request, Trust
from callerid.names import arn, github, glob
from callerid.policy.book import GOOGLE

STRANGER = "stranger"
MOST = 20_000
"""Ways to ask that are tried for one visitor; a policy that compares more keys at once than these is not understood."""
SESSION, SOURCE, UPSTREAM = "sts:rolesessionname", "sts:sourceidentity", "aws:sourceidentity"
_GENERIC = "botocore-session-1700000000"
_CHOSEN = re.compile(
    r"sts:(externalid|durationseconds|transitivetagkeys)|aws:(requesttag/.*|tagkeys|requestedregion|useragent|referer)"
    r"|aws:multifactorauth(present|age)",
    re.DOTALL,
)
"""What whoever asks chooses by himself."""
_OF_SOMEBODY = re.compile(
    r"aws:(principal(arn|account|type|orgid|orgpaths|tag/.*)|username|userid|multifactorauth.*)|sts:externalid",
    re.DOTALL,
)
"""What a call that AWS credentials sign has, and a token's or a SAML response's has not."""
_OURS = re.compile(r"(aws|sts|saml|iam|ec2|lambda|ecs|eks):.*", re.DOTALL)


class Visitor(NamedTuple):
    """Somebody who could come."""

    via: str
    """Whom ``Principal`` would name."""
    told: str
    form: str
    names: tuple[str, ...]
    account: str | None
    actions: tuple[str, ...]
    known: Mapping[str, tuple[str, ...] | None]
    free: Mapping[str, tuple[str | None, ...]]
    access: Access


class Visit(NamedTuple):
    """One way in which a visitor could ask."""

    visitor: Visitor
    request: Request
    access: Access
    chosen: Mapping[str, str | None]

    @property
    def told(self) -> str:
        """Return who and how, in words."""
        parts = [f"{key} {value}" for key, value in self.chosen.items() if value is not None and key not in _DULL]
        return ", ".join([self.visitor.told, *parts])


_DULL = ("sts:roleauthorizedbyidp", SESSION, "saml:aud", "saml:sub_type")


def visits(visitor: Visitor, trust: Trust, given: Mapping[str, str]) -> Iterator[Visit]:
    """Yield every way in which a visitor could ask that a policy could tell apart."""
    asked = trust.keys()
    free = {**_choices(asked, trust), **visitor.free}
    fixed = {**{key: None for key in asked - visitor.free.keys() if _is_absent(key, visitor)}, **visitor.known}
    fixed |= {key.lower(): (value,) for key, value in given.items() if key.lower() not in fixed}
    free = {key: values for key, values in free.items() if key not in fixed}
    is_chain = free.pop(UPSTREAM, None) is not None
    for values in islice(product(*free.values()), MOST):
        yield from (
            _visit(visitor, fixed, chosen) for chosen in _chained(dict(zip(free, values, strict=True)), is_chain)
        )


def _chained(chosen: dict[str, str | None], is_chain: bool) -> Iterator[dict[str, str | None]]:  # noqa: FBT001
    """Yield a choice; of a role's session once more with the source identity brought along, which AWS keeps."""
    yield {**chosen, UPSTREAM: None}
    if is_chain and chosen.get(SOURCE) is not None:
        yield {**chosen, UPSTREAM: chosen[SOURCE], SOURCE: None}


def _visit(visitor: Visitor, fixed: Mapping[str, tuple[str, ...] | None], chosen: Mapping[str, str | None]) -> Visit:
    known = {**fixed, **{key: None if value is None else (value,) for key, value in chosen.items()}}
    return Visit(visitor, _request(visitor, known), _access(visitor, known), chosen)


def is_too_much(visitor: Visitor, trust: Trust) -> bool:
    """Tell a policy that compares more at once than is tried."""
    count = 1
    for values in {**_choices(trust.keys(), trust), **visitor.free}.values():
        count *= len(values)
    return count > MOST


def _choices(asked: set[str], trust: Trust) -> dict[str, tuple[str | None, ...]]:
    found = {key: (None, *exemplars(trust.values(key)), STRANGER) for key in sorted(asked) if _CHOSEN.fullmatch(key)}
    return {**found, **{key: (None, "true", "false") for key in found if key.endswith("authpresent")}}


def _is_absent(key: str, visitor: Visitor) -> bool:
    """Tell a key that a visitor's call surely lacks."""
    kind = visitor.access.kind
    if not _OURS.fullmatch(key):  # a token's claim: of this issuer it is not known, of another it is not there
        return kind is not Kind.WEB_IDENTITY or not key.startswith(f"{arn.issuer_of(visitor.via).lower()}:")
    if key.startswith("saml:"):
        return kind is not Kind.SAML
    if visitor.form == "Federated" and _OF_SOMEBODY.fullmatch(key):
        return True
    is_of_service = key in ("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths")
    return key in (UPSTREAM, SOURCE, "sts:roleauthorizedbyidp", "aws:username") or (
        is_of_service and visitor.form != "Service"
    )


def _request(visitor: Visitor, known: Mapping[str, tuple[str, ...] | None]) -> Request:
    actions = list(visitor.actions)
    if known.get(SOURCE) or known.get(UPSTREAM):
        actions.append("sts:SetSourceIdentity")
    if any(value for key, value in known.items() if key.startswith(("aws:requesttag/", "aws:tagkeys"))):
        actions.append("sts:TagSession")
    return Request(visitor.form, visitor.names, visitor.account, tuple(dict.fromkeys(actions)), known)


def _access(visitor: Visitor, known: Mapping[str, tuple[str, ...] | None]) -> Access:
    """Return what callerid would see of a call."""
    access = visitor.access
    upstream = _one(known, UPSTREAM)
    source = upstream or _one(known, SOURCE)
    fields: dict[str, Any] = {"session_name": _one(known, SESSION), "source_identity": source}
    if upstream:
        fields["user_name"] = upstream
    if access.kind is Kind.WEB_IDENTITY:
        audience = _one(known, f"{arn.issuer_of(access.provider).lower()}:aud")
        fields |= {"audience": audience, "audiences": (audience,) if audience else ()}
        fields["role_claimed"] = _one(known, "sts:roleauthorizedbyidp") == "true"
    if access.kind is Kind.SAML and _one(known, "saml:sub_type") == "transient":
        named = (Claim(Form.SAML, source, access.provider or ""),) if source else ()
        fields |= {"claims": named or access.claims, "findings": () if source else ("subject-transient",)}
    return replace(access, **fields)


def _one(known: Mapping[str, tuple[str, ...] | None], key: str) -> str | None:
    values = known.get(key)
    return values[0] if values else None


def sources(names: Iterable[str], trust: Trust) -> tuple[str | None, ...]:
    """Return the source identities that somebody could set: none, his names, what the policy asks for, another."""
    asked = [*trust.values(SOURCE), *trust.values(UPSTREAM)]
    return tuple(dict.fromkeys((None, *names, *exemplars(asked), STRANGER)))


def sessions(names: Iterable[str], trust: Trust) -> tuple[str | None, ...]:
    """Return the session names that somebody could choose."""
    return tuple(dict.fromkeys((*names, *exemplars(trust.values(SESSION)), STRANGER, _GENERIC)))


def always(now: datetime) -> dict[str, tuple[str, ...] | None]:
    """Return what is known of every call."""
    return {
        "aws:currenttime": (now.isoformat(),),
        "aws:epochtime": (str(now.timestamp()),),
        "aws:securetransport": ("true",),
        "aws:viaawsservice": ("false",),
    }


def web(provider: str, subject: str, role: str, *, audiences: Iterable[str], trust: Trust, now: datetime,
        names: Iterable[str] = (), oauds: Iterable[str] = ()) -> Visitor:  # fmt: skip
    """Return whoever has a token of a provider with this subject. Google's carry no source identity."""
    issuer = arn.issuer_of(provider)
    known = {**always(now), "aws:principalisawsservice": ("false",), f"{issuer}:sub".lower(): (subject,)}
    known |= {f"{issuer}:{name}".lower(): (value,) for name, value in workflow(issuer, subject).items()}
    free: dict[str, tuple[str | None, ...]] = {
        f"{issuer}:aud".lower(): tuple(dict.fromkeys(audiences)),
        SESSION: sessions(names, trust),
        "sts:roleauthorizedbyidp": ("true", "false"),
    }
    claims: tuple[Claim, ...] = (Claim(Form.OIDC, subject, issuer),)
    if issuer == GOOGLE:
        claims = (Claim(Form.GOOGLE_SERVICE_ACCOUNT, subject), *claims)
        free[f"{GOOGLE}:oaud"] = tuple(dict.fromkeys((*oauds, *exemplars(trust.values(f"{GOOGLE}:oaud")), STRANGER)))
    else:
        free[SOURCE] = sources(names, trust)
    access = _seen(role, Kind.WEB_IDENTITY, Scope.ALWAYS, subject, provider, claims)
    return Visitor(provider, f"{subject} of {issuer}", "Federated", (provider,), None,
                   ("sts:AssumeRoleWithWebIdentity",), known, free, access)  # fmt: skip


def workflow(issuer: str, subject: str) -> dict[str, str]:
    """Return the claims of a GitHub token that its subject repeats; the ids of a stranger are another's."""
    found = github.parse(subject) if github.is_issuer(issuer) else None
    if found is None:
        return {}
    repository, _, context = found.name.removeprefix("repo:").partition(":")
    owner = repository.partition("/")[0]
    claims = {"repository": repository, "repository_owner": owner}
    claims["repository_owner_id"] = found.ids[0] or (_ID if STRANGER in owner else "")
    claims["repository_id"] = found.ids[1] or (_ID if STRANGER in repository else "")
    word, _, value = context.partition(":")
    claims |= {word: value} if word in ("ref", "environment") else {}
    return {name: value for name, value in claims.items() if value}


def saml(provider: str, subject: str, role: str, *, trust: Trust, now: datetime, names: Iterable[str] = ()) -> Visitor:
    """Return whoever a SAML provider vouches for under this subject."""
    account = provider.split(":")[4] if provider.count(":") >= 5 else ""
    known = {
        **always(now),
        "aws:principalisawsservice": ("false",),
        "saml:sub": (subject,),
        "saml:doc": (f"{account}/{provider.rpartition('/')[2]}",),
    }
    free = {
        "saml:aud": tuple(exemplars(trust.values("saml:aud"))) or (None,),
        "saml:sub_type": ("persistent", "transient"),
        SESSION: sessions(names, trust),
        SOURCE: sources((*names, subject), trust),
    }
    access = _seen(role, Kind.SAML, Scope.ALWAYS, subject, provider, (Claim(Form.SAML, subject, provider),))
    return Visitor(provider, f"{subject} of {provider}", "Federated", (provider,), None,
                   ("sts:AssumeRoleWithSAML",), known, free, access)  # fmt: skip


def person(name: str, role: str, *, trust: Trust, now: datetime, via: str | None = None, unique_id: str | None = None,
           names: Iterable[str] = (),
           others: Mapping[str, tuple[str, ...]] | None = None) -> Visitor | None:  # fmt: skip
    """Return whoever acts as an IAM user or as a role, by its ARN or a session's; None of any other ARN."""
    found = arn.parse(name)
    if found is None or found.type not in ("user", "role", "assumed-role", "root"):
        return None
    is_user = found.type in ("user", "root")
    own = arn.role_arn(name) or name
    session = f"arn:{found.partition}:sts::{found.account}:assumed-role/{found.name}/{found.session or STRANGER}"
    known: dict[str, tuple[str, ...] | None] = {
        **always(now),
        "aws:principalisawsservice": ("false",),
        "aws:principalarn": (own,),
        "aws:principalaccount": (found.account,),
        "aws:principaltype": ("User" if found.type == "user" else "Account" if is_user else "AssumedRole",),
        "aws:username": (found.name,) if found.type == "user" else None,
        **({} if others is None else others),
    }
    free = {SESSION: sessions(names, trust), SOURCE: sources(names, trust)}
    if not is_user:
        free[UPSTREAM] = (None,)
    shown = own if is_user else session
    claims = arn_claims(shown) + ((Claim(Form.UNIQUE_ID, unique_id),) if unique_id else ())
    access = replace(
        _seen(role, Kind.ASSUME_ROLE, Scope.GUARDED, None, None, claims),
        principal=shown,
        origin_account=found.account,
        user_name=found.name if found.type == "user" else None,
        unlisted="principal-unlisted",
    )
    alike = tuple(filter(None, (own, None if is_user else session, unique_id)))
    return Visitor(via or own, own, "AWS", alike, found.account, ("sts:AssumeRole",), known, free, access)


def pod(cluster: str, namespace: str, account: str, role: str, *, trust: Trust, now: datetime) -> Visitor:
    """Return a pod of a cluster, given by its ARN or its name, for which EKS asks."""
    tag = "aws:requesttag/"
    is_arn = cluster.startswith("arn:")
    known = {
        **always(now),
        "aws:principalisawsservice": ("true",),
        f"{tag}eks-cluster-name": (cluster.rpartition("/")[2],),
        f"{tag}kubernetes-namespace": (namespace,),
        f"{tag}kubernetes-service-account": (account,),
    }
    free: dict[str, tuple[str | None, ...]] = {SESSION: sessions((), trust)}
    if is_arn:
        known |= {f"{tag}eks-cluster-arn": (cluster,), "aws:sourcearn": (cluster,)}
        known["aws:sourceaccount"] = (cluster.split(":")[4],)
    else:
        ends = [one for one in exemplars(trust.values(f"{tag}eks-cluster-arn")) if one.endswith(f"/{cluster}")]
        free[f"{tag}eks-cluster-arn"] = (*ends, STRANGER)
    subject = f"{namespace}/{account}"
    access = _seen(
        role, Kind.POD_IDENTITY, Scope.ALWAYS, subject, cluster, (Claim(Form.POD_IDENTITY, subject, cluster),)
    )
    return Visitor(POD_IDENTITY, f"pod {subject} of {cluster}", "Service", (POD_IDENTITY,), None,
                   ("sts:AssumeRole", "sts:TagSession"), known, free, access)  # fmt: skip


def certificate(anchor: str, name: str, role: str, *, trust: Trust, now: datetime,
                names: Iterable[str] = ()) -> Visitor:  # fmt: skip
    """Return whoever has a certificate of this common name under a trust anchor, for whom Roles Anywhere asks."""
    known = {
        **always(now),
        "aws:principalisawsservice": ("true",),
        "aws:principaltag/x509subject/cn": (name,),
        "aws:sourcearn": (anchor,),
        "aws:sourceaccount": (anchor.split(":")[4] if anchor.count(":") >= 5 else "",),
    }
    free = {SESSION: sessions((name, *names), trust), SOURCE: (f"CN={name}", *sources((name, *names), trust))}
    claims = (Claim(Form.ROLES_ANYWHERE, name, anchor),)
    access = replace(_seen(role, Kind.ROLES_ANYWHERE, Scope.ALWAYS, name, anchor, claims), user_name=name)
    actions = ("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession")
    return Visitor(ROLES_ANYWHERE, f"certificate {name} of {anchor}", "Service", (ROLES_ANYWHERE,), None, actions,
                   known,
                   free, access)  # fmt: skip


def _seen(  # noqa: PLR0917  # in the order of the sentence
    role: str, kind: Kind, scope: Scope, subject: str | None, provider: str | None, claims: tuple[Claim, ...]
) -> Access:
    return Access(cloud=Cloud.AWS, kind=kind, scope=scope, account=arn.account_of(role), subject=subject,
                  provider=provider, target=role, claims=claims, user_name=subject,
                  unlisted="subject-unlisted")  # fmt: skip


def exemplars(patterns: Iterable[str]) -> list[str]:
    """Return text that comes under each pattern, each once: exact values as they are, signs filled in."""
    found: list[str] = []
    for pattern in patterns:
        plain = pattern.replace("${*}", "*").replace("${?}", "?").replace("${$}", "$")
        if plain != pattern or not glob.is_glob(pattern):
            found.append(plain)
            continue
        head, star, tail = pattern.replace("?", "x").rpartition("*")
        begin = head.replace("@*", f"@{_ID}").replace("*", STRANGER)
        found += [begin + end + tail for end in (_ends(head, tail) if star else ("",))]
    return list(dict.fromkeys(found))


_ID = "999999999"


def _ends(head: str, tail: str) -> tuple[str, ...]:
    """Return what the last sign of a pattern can stand for; of a workflow's subject, what GitHub would write."""
    if not head.startswith("repo:"):
        return (STRANGER, "0")
    if head.endswith("@"):
        return (_ID,)
    if head.count(":") > 1:
        is_context = head.endswith(":") and head.count(":") == 2 and not tail
        return _CONTEXTS if is_context else (f"refs/heads/{STRANGER}",) if head.endswith(":ref:") else (STRANGER, "0")
    if tail:
        return (STRANGER,) if "/" in head else (f"{STRANGER}/repository",)
    repository = STRANGER if "/" in head else f"{STRANGER}/repository"
    return (f"{repository}:ref:refs/heads/main", f"{repository}:pull_request", STRANGER)


_CONTEXTS = (f"ref:refs/heads/{STRANGER}", "pull_request", f"environment:{STRANGER}", STRANGER, "")
"""What follows in a workflow's subject; another text where the pattern goes on."""
