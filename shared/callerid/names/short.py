"""Names from a log as short as they stay names."""

from __future__ import annotations

import re
from typing import NamedTuple

from callerid.names import arn


def cut(text: str, most: int) -> str:
    """Return a text without as much of its middle as is too long: both ends tell names apart."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


class Short(NamedTuple):
    """A name for people, and the AWS account that it is in where it has one."""

    name: str
    account: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.account})" if self.account else self.name


def short(name: str) -> Short:
    """Return ``role/NAME`` and its account, a provider as ``POOL/ID``, a service account without the common suffix.

    What a caller chose stays as it is: whoever shows it makes it safe.
    """
    found = arn.parse(name)
    if found is not None:
        return Short(f"{'role' if found.type == 'assumed-role' else found.type}/{found.name}", found.account)
    in_pool = re.search(r"/work(?:loadIdentity|force)Pools/(.+)", name)
    if in_pool:
        pool, _, provider = in_pool[1].partition("/providers/")
        return Short(f"{pool}/{provider}" if provider else f"pool {pool}")
    if len(name) == 12 and name.isdigit():
        return Short(f"account {name}")
    return Short(name.removesuffix(".iam.gserviceaccount.com"))
