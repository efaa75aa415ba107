"""Writes the caller books of the bench: the entries that the corpus uses, and plausible others around them.

The others name nobody and reach nothing of the corpus, so every book must give the same verdicts.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import tenant
import yaml
from fields import upper_id

SMALL, LARGE = len(tenant.CALLERS), 5_000


def write(path: Path, count: int) -> None:
    """Write a book of so many entries; the corpus's own stand in the middle of the others."""
    rng = random.Random(f"policy/{count}")
    others = [_other(rng, number) for number in range(count - SMALL)]
    half = len(others) // 2
    book = {
        "version": 1,
        "aws_accounts": [tenant.ACCOUNT, tenant.OTHER_ACCOUNT],
        "callers": [*others[:half], *tenant.CALLERS, *others[half:]],
        "requirements": list(tenant.REQUIREMENTS),
    }
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    path.write_text(yaml.dump(book, Dumper=_without_aliases(dumper), sort_keys=False, width=1000))


def _without_aliases(dumper: Any) -> Any:
    """Return a dumper that writes a repeated part out, as a person would."""
    return type("Dumper", (dumper,), {"ignore_aliases": lambda _self, _data: True})


def _other(rng: random.Random, number: int) -> dict[str, Any]:
    identity, reach = rng.choices(_KINDS, _SHARES)[0](rng, number)
    caller: dict[str, Any] = {"name": f"workload-{number:04d}", "owner": f"team-{number % 90:02d}@example.com"}
    if rng.random() < 0.2:
        caller["expires"] = f"2027-{rng.randrange(1, 13):02d}-28"
    return {**caller, "identities": [identity], "may_reach": [reach]}


def _role(number: int) -> str:
    return tenant.role(f"cross-{number % 700:03d}", _account(number))


def _account(number: int) -> str:
    """Return one of our accounts."""
    return (tenant.ACCOUNT, tenant.OTHER_ACCOUNT)[number % 2]


def _google(rng: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    unique_id = f"1{number:04d}{rng.randrange(10**15, 10**16)}"
    identity = {"google_service_account": unique_id, "email": tenant.service_account(f"workload-{number:04d}")}
    return identity, {"aws_role": _role(number), "oaud": f"cross-{number:04d}"}


def _github(rng: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    subject = f"repo:acme/service-{number:04d}:{rng.choice(('environment:production', 'ref:refs/heads/main'))}"
    return _oidc(subject), {"aws_role": _role(number), "audience": tenant.STS_AUDIENCE}


def _github_pattern(rng: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    pattern = rng.choice(("ref:refs/tags/*", "ref:refs/heads/release-*", "environment:prod-*"))
    return _oidc(f"repo:acme/app-{100 + number}:{pattern}"), {
        "aws_role": _role(number),
        "audience": tenant.STS_AUDIENCE,
    }


def _oidc(subject: str) -> dict[str, Any]:
    return {"oidc": {"issuer": tenant.GITHUB, "subject": subject}}


def _aws_role(_rng: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    identity = {"aws_role": tenant.role(f"job-{number:04d}", _account(number))}
    return identity, {
        "service_account": tenant.service_account(f"cross-{number % 400:03d}"),
        "provider": tenant.AWS_PROVIDER,
    }


def _iam_user(rng: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    user = f"arn:aws:iam::{tenant.ACCOUNT}:user/tool-{number:04d}"
    return {"iam_user": user, "unique_id": f"AIDA{upper_id(rng, 17)}"}, {"aws_role": _role(number)}


def _saml(_rng: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    identity = {"saml": {"provider": tenant.SAML_PROVIDER, "subject": f"person{number:04d}@example.com"}}
    return identity, {"aws_role": _role(number)}


def _gke(_rng: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    identity = {"gke": f"{tenant.PROJECT}.svc.id.goog[team-{number % 90:02d}/workload-{number:04d}]"}
    return identity, {"service_account": tenant.service_account(f"cross-{number % 400:03d}")}


_KINDS = (_google, _github, _github_pattern, _aws_role, _iam_user, _saml, _gke)
_SHARES = (34, 26, 6, 14, 8, 6, 6)
