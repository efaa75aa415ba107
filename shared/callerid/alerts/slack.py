"""Sending to Slack, one HTTP request for one call, and every answer a value.

Slack has no idempotency key, so whether a message is out can be unknown: that is an answer of its own,
:class:`Ambiguous`, and everything that nobody foresaw is one too. Nothing here retries, sleeps or raises; the
outbox does what an answer asks for. Neither token nor webhook address leaves in a log, a repr or an error.

https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/methods/chat.update
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias
from urllib.error import HTTPError, URLError

from msgspec import Struct

from callerid.alerts.blocks import Message
from callerid.alerts.text import visible

LONGEST_WAIT_SECONDS = 900.0
"""What a Retry-After is cut to: a channel is asked again after a quarter of an hour at the latest."""
USUAL_WAIT_SECONDS = 30.0
"""Where Slack says no time itself."""
TIMEOUT_SECONDS = 10

_SILENT = logging.Logger("callerid.slack", logging.CRITICAL + 1)  # noqa: LOG001  # no setting can turn it on
"""What slack_sdk logs to. Its debug log has the webhook's address, its errors may have the token in a header."""
_EVENT_TYPE = "callerid_alert"
_LONGEST_DETAIL = 500


class Posted(Struct, frozen=True):
    """The message is out. A webhook does not say where: then both are None."""

    ts: str | None
    """Slack's timestamp of the message, by which it is edited and replied to."""
    channel: str | None
    """The channel's id, which an edit needs."""


class Retry(Struct, frozen=True):
    """Not posted; the same message may be sent again after a while."""

    after_seconds: float
    error: str


class Ambiguous(Struct, frozen=True):
    """Nobody knows whether it is posted: sent again, it may stand there twice."""

    error: str


class PayloadRefused(Struct, frozen=True):
    """Not posted, and never will be in this form; a plainer one may."""

    error: str
    detail: str = ""
    """What Slack found wrong, and where in the blocks."""


class ThreadLost(Struct, frozen=True):
    """The message to reply to or to edit can't be any more; a new one in the channel can."""

    error: str


class Misconfigured(Struct, frozen=True):
    """Not posted until somebody mends it: the token, a scope, the channel, the address."""

    error: str


Refusal: TypeAlias = Retry | Ambiguous | PayloadRefused | ThreadLost | Misconfigured
Answer: TypeAlias = Posted | Refusal


class Sender(Protocol):
    """One way to Slack."""

    @property
    def can_edit(self) -> bool:
        """Return whether a message can be edited and replied to once it is out."""

    def post(self, channel: str, message: Message, /, *, thread: str | None = None, broadcast: bool = False) -> Answer:
        """Post a message; ``thread`` makes it a reply, ``broadcast`` shows the reply in the channel too."""

    def update(self, channel: str, ts: str, message: Message, /) -> Answer:
        """Put a message in the place of another. ``channel`` is the id that the post answered."""

    def check(self) -> Refusal | None:
        """Return what keeps Slack from taking a message, None where nothing is known to."""


class BotSender:
    """Slack by a bot's token: every channel, threads and edits. It needs ``chat:write``, no other scope."""

    can_edit = True

    def __init__(
        self, token: str, *, base_url: str = "https://slack.com/api/", timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        from slack_sdk import WebClient  # noqa: PLC0415  # a tenth of a second that only a sender pays

        self._client = WebClient(
            token=_secret(token, r"xox[!-~]+", "the Slack token: expected xoxb-… without spaces"),
            base_url=base_url,
            timeout=timeout_seconds,  # type: ignore[arg-type]  # urllib takes fractions
            retry_handlers=[],  # the default one posts a second time where the first answer was lost
            logger=_SILENT,
        )
        self._takes_metadata = True

    def post(self, channel: str, message: Message, /, *, thread: str | None = None, broadcast: bool = False) -> Answer:
        """Post a message."""
        answer = self._post(channel, message, thread, broadcast=broadcast)
        if isinstance(answer, PayloadRefused) and self._takes_metadata and "metadata" in answer.error:
            self._takes_metadata = False  # a workspace's rule, not the message's fault: from now on without
            answer = self._post(channel, message, thread, broadcast=broadcast)
        return answer

    def _post(self, channel: str, message: Message, thread: str | None, *, broadcast: bool) -> Answer:
        has_ids = self._takes_metadata and message.ids is not None
        return _called(
            lambda: self._client.chat_postMessage(
                channel=channel,
                thread_ts=thread,
                reply_broadcast=True if thread and broadcast else None,
                blocks=message.blocks or None,
                metadata={"event_type": _EVENT_TYPE, "event_payload": dict(message.ids or {})} if has_ids else None,
                **_plain(message),
            )
        )

    def update(self, channel: str, ts: str, message: Message, /) -> Answer:
        """Put a message in the place of another; no blocks take the old ones away."""
        return _called(
            lambda: self._client.chat_update(channel=channel, ts=ts, blocks=list(message.blocks), **_plain(message))
        )

    def check(self) -> Refusal | None:
        """Ask Slack whether it knows the token: https://docs.slack.dev/reference/methods/auth.test."""
        answer = _called(self._client.auth_test, is_message=False)
        return None if isinstance(answer, Posted) else answer


class WebhookSender:
    """Slack by an incoming webhook: one channel, no threads, no edits. Its address is the secret."""

    can_edit = False

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        from slack_sdk.webhook import WebhookClient  # noqa: PLC0415

        wanted = "the Slack webhook's address: expected https://… without spaces"
        self._client = WebhookClient(
            _secret(url, r"https://[!-~]+|http://127\.0\.0\.1[:/][!-~]*", wanted),
            timeout=timeout_seconds,  # type: ignore[arg-type]  # urllib takes fractions
            retry_handlers=[],
            logger=_SILENT,
        )

    def post(self, channel: str, message: Message, /, *, thread: str | None = None, broadcast: bool = False) -> Answer:  # noqa: ARG002
        """Post a message to the webhook's own channel, as a message of its own."""
        body = {**_plain(message), "blocks": list(message.blocks) or None}
        try:
            response = self._client.send_dict(body)
        except Exception as error:  # noqa: BLE001  # whatever the client raises is an answer
            return classify(error)
        if response.status_code == HTTPStatus.OK and response.body.strip() == "ok":
            return Posted(None, None)
        retry_after = _header(response.headers, "retry-after")
        return classify(response.body.strip(), status=response.status_code, retry_after=retry_after)

    def update(self, channel: str, ts: str, message: Message, /) -> Answer:  # noqa: ARG002
        """Say that nothing can be edited."""
        return ThreadLost("webhook_without_edits")

    def check(self) -> Refusal | None:
        """Return None: a webhook can be tried by a message alone."""
        return None


def _secret(text: str, pattern: str, wanted: str) -> str:
    """Return a secret that can stand in a request. One that can't would be quoted in an error of the client's."""
    text = text.strip()
    if not re.fullmatch(pattern, text):
        raise ValueError(wanted)
    return text


def _plain(message: Message) -> dict[str, Any]:
    """Return a message's text with what keeps Slack from finding links, channels and people in it.

    An update needs it as much as a post: it does not keep what the post said.
    """
    return {
        "text": message.text,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _called(call: Callable[[], Any], *, is_message: bool = True) -> Answer:
    """Return the answer of one call of the client, whatever becomes of it."""
    from slack_sdk.errors import SlackApiError  # noqa: PLC0415

    try:
        response = call()
    except SlackApiError as error:
        return _refusal(error.response)
    except Exception as error:  # noqa: BLE001  # an alert must not get lost because a client raises something new
        return classify(error)
    ts, channel = response.get("ts"), response.get("channel")
    if not is_message:
        return Posted(None, None)
    return Posted(ts, channel) if isinstance(ts, str) and isinstance(channel, str) else Ambiguous("answer_without_ts")


def _refusal(response: Any) -> Refusal:
    data = response.data if isinstance(response.data, dict) else {}
    metadata = data.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    detail = "; ".join(map(str, messages)) if isinstance(messages, list) else ""
    return classify(
        str(data.get("error", "")),
        status=response.status_code,
        retry_after=_header(response.headers, "retry-after"),
        detail=visible(detail)[:_LONGEST_DETAIL],
    )


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)


def classify(
    error: str | Exception, *, status: int = HTTPStatus.OK, retry_after: str | None = None, detail: str = ""
) -> Refusal:
    """Return what an error asks for: Slack's word for it, or what the client raised. Total: unknown is ambiguous."""
    if isinstance(error, Exception):
        return _raised(error)
    word = error if re.fullmatch(r"[a-z0-9_]{1,80}", error) else f"http_{int(status)}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or word in _WAIT:
        return Retry(_seconds(retry_after), word)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Ambiguous(word)
    if word in _PAYLOAD or word.startswith("invalid_metadata_"):
        return PayloadRefused(word, detail)
    if word in _THREAD:
        return ThreadLost(word)
    if word in _SETTINGS or word.startswith(("restricted_action", "slack_connect_")):
        return Misconfigured(word)
    return _by_status(word, status, detail)


def _by_status(word: str, status: int, detail: str) -> Refusal:
    """Return what a status says where the word says nothing: a webhook answers in statuses."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return Misconfigured(word)
        case HTTPStatus.BAD_REQUEST | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return PayloadRefused(word, detail)
        case _:
            return Ambiguous(word)


def _raised(error: Exception) -> Refusal:
    """Return what an exception means, by its type alone: its text may quote a secret.

    urllib raises ``URLError`` for whatever kept it from handing over the whole request, which Slack then can't
    have taken. What comes after that is raised bare, and Slack may have.
    """
    from slack_sdk.errors import SlackRequestError  # noqa: PLC0415

    name = type(error).__name__
    if isinstance(error, SlackRequestError):
        return Misconfigured(name)
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        reason = type(error.reason).__name__ if isinstance(error.reason, OSError) else name
        return Retry(USUAL_WAIT_SECONDS, reason) if isinstance(error.reason, OSError) else Misconfigured(reason)
    return Ambiguous(name)


def _seconds(retry_after: str | None) -> float:
    if retry_after is None or not re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return USUAL_WAIT_SECONDS
    return min(float(retry_after), LONGEST_WAIT_SECONDS)


_WAIT = frozenset(("ratelimited", "rate_limited", "message_limit_exceeded", "external_channel_migrating"))
_PAYLOAD = frozenset((
    "attachment_payload_limit_exceeded", "block_mismatch", "invalid_arg_name", "invalid_arguments",
    "invalid_array_arg", "invalid_attachments", "invalid_blocks", "invalid_blocks_format", "invalid_charset",
    "invalid_form_data", "invalid_json", "invalid_payload", "invalid_post_type", "json_not_object",
    "markdown_text_conflict", "metadata_must_be_sent_from_app", "metadata_too_large", "missing_post_type",
    "missing_text_or_fallback_or_attachments", "msg_blocks_too_long", "msg_too_long", "no_text",
    "too_many_attachments", "too_many_contact_cards",
))  # fmt: skip
_THREAD = frozenset((
    "cannot_reply_to_message", "cant_broadcast_message", "cant_update_message", "edit_window_closed",
    "invalid_thread_ts", "message_not_found", "no_dual_broadcast_content_update",
    "restricted_action_non_threadable_channel", "restricted_action_thread_locked", "streaming_mode_mismatch",
    "streaming_state_conflict", "thread_locked", "thread_not_found", "update_failed",
))  # fmt: skip
_SETTINGS = frozenset((
    "access_denied", "accesslimited", "account_inactive", "action_prohibited", "app_access_restricted",
    "as_user_not_supported", "channel_is_archived", "channel_not_found", "deprecated_endpoint",
    "duplicate_channel_not_found", "duplicate_message_not_found", "ekm_access_denied", "enterprise_is_restricted",
    "invalid_auth", "invalid_token", "is_archived", "is_inactive", "messages_tab_disabled", "method_deprecated",
    "missing_scope", "no_active_hooks", "no_permission", "no_service", "no_team", "not_allowed_token_type",
    "not_authed", "not_in_channel", "org_login_required", "posting_to_channel_denied",
    "posting_to_general_channel_denied", "send_on_behalf_not_allowed", "team_access_not_granted",
    "team_added_to_org", "team_disabled", "team_not_found", "token_expired", "token_revoked",
    "two_factor_setup_required", "user_not_found", "user_not_in_channel",
))  # fmt: skip
