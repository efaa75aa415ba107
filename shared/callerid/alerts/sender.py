"""A secret into what sends with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callerid.alerts.slack import Sender


def sender(secret: str, *, api: str | None = None) -> Sender:
    """Return what sends with a bot's token or to an incoming webhook's address.

    ``api`` is another address than Slack's, with its slash at the end: a proxy's, say.

    Raises:
        ValueError: for a secret that is neither; the message does not quote it.
    """
    from callerid.alerts.slack import BotSender, WebhookSender  # noqa: PLC0415  # only what sends needs them

    if secret.strip().startswith("http"):
        return WebhookSender(secret)
    return BotSender(secret, base_url=api) if api else BotSender(secret)
