"""The delegation chain of a call: who is behind the account that made it.

Every hop is weighed, because their order is not documented. Originators are the federated identities and the
people in the chain; where there is none, the service accounts are. Google's own service agents, and the
account itself, are hops that mean nothing.

https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts
"""

from __future__ import annotations

from typing import NamedTuple

from callerid.decode import is_object
from callerid.gcp.claims import email_of
from callerid.gcp.record import Authentication, Delegation
from callerid.names import principal

THIRD_PARTY = "thirdPartyPrincipal"
"""What stands for a hop that is neither Google's nor in any pool; no record of one is published."""


class Chain(NamedTuple):
    """The hops of a call and who of them counts as its origin."""

    names: tuple[str, ...] = ()
    """Every hop that names somebody, in the record's order."""
    origins: tuple[str, ...] = ()
    federated: bool = False
    """Whether an originator is from another identity provider."""

    @property
    def first(self) -> str | None:
        """Return the originator that a judgement names."""
        return self.origins[0] if self.origins else None


def of(authentication: Authentication, besides: tuple[str | None, ...]) -> Chain:
    """Return the chain of a call; ``besides`` are the accounts that are no origin of themselves."""
    if not authentication.delegation:
        return Chain()
    names = tuple(name for hop in authentication.delegation if (name := _name(hop)))
    own = {email_of(name) for name in besides if name}
    hops = [name for name in names if not principal.is_service_agent(email_of(name)) and email_of(name) not in own]
    federated = [name for name in hops if is_federated(name)]
    if is_federated(authentication.subject) and authentication.subject:
        federated.insert(0, authentication.subject)
    people = [name for name in hops if name not in federated and not principal.is_service_account(email_of(name))]
    return Chain(names, tuple(federated + people or hops), federated=bool(federated))


def is_federated(name: str | None) -> bool:
    """Tell a name that another identity provider vouches for."""
    return name == THIRD_PARTY or principal.is_principal(name) or principal.gke_of(name) is not None


def _name(hop: Delegation) -> str | None:
    """Return the principal of one hop, wherever the entry nests it; None for the empty hop that occurs."""
    first = hop.first_party
    name = hop.subject or (first and (first.subject or first.email))
    if name:
        return name
    return THIRD_PARTY if is_object(hop.third_party) else None
