"""Every answer of Slack is one of six values; the real client talks to a Slack of our own."""

import errno
import http.client
import logging
import socket
import ssl
import subprocess
import sys
import time
import urllib.error

import pytest
from slack_sdk.errors import SlackApiError, SlackClientError, SlackRequestError

from callerid.alerts import slack as module
from callerid.alerts.blocks import Message, header, section
from callerid.alerts.slack import (
    Ambiguous,
    BotSender,
    Misconfigured,
    PayloadRefused,
    Posted,
    Retry,
    Sender,
    ThreadLost,
    WebhookSender,
    classify,
)
from tests.alerts.slack_server import DROP, DROP_AFTER, TOKEN, WEBHOOK_PATH, Answer, SlackServer, failing, limited, slow

HELLO = Message("HIGH: hello", (header("Hello"), section("*Why:* x")), {"alert": "a1", "window": 1, "attempt": 1})
SECRETS = (TOKEN, "secret", WEBHOOK_PATH)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """The client must not leave this machine, whatever it is set up for."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def slack():
    with SlackServer() as server:
        yield server


@pytest.fixture
def bot(slack):
    return BotSender(TOKEN, base_url=slack.url)


@pytest.fixture
def webhook(slack):
    return WebhookSender(slack.webhook_url)


def test_a_message_is_posted_edited_and_replied_to(slack, bot):
    posted = bot.post("#alerts", HELLO)
    assert isinstance(posted, Posted)
    assert bot.update(posted.channel, posted.ts, Message("HIGH: twice", (section("x"),))) == posted
    assert isinstance(bot.post(posted.channel, Message("more"), thread=posted.ts, broadcast=True), Posted)
    first, reply = slack.accepted
    assert (first.history, first.edits, first.blocks) == (["HIGH: hello", "HIGH: twice"], 1, [section("x")])
    assert (reply.thread_ts, reply.broadcast, reply.channel) == (posted.ts, True, "CALERTS")
    assert first.metadata == {
        "event_type": "callerid_alert",
        "event_payload": {"alert": "a1", "window": 1, "attempt": 1},
    }
    assert bot.check() is None


def test_an_edit_to_text_alone_takes_the_blocks_away(slack, bot):
    posted = bot.post("#alerts", HELLO)
    bot.update(posted.channel, posted.ts, Message("plain"))
    assert slack.accepted[0].blocks == []


def test_nothing_in_a_message_is_looked_for_on_post_and_on_update(slack, bot):
    """T8: chat.update forgets what the post said."""
    posted = bot.post("#alerts", HELLO)
    bot.update(posted.channel, posted.ts, HELLO)
    bodies = [request.body for request in slack.requests]
    assert [request.path for request in slack.requests] == ["/api/chat.postMessage", "/api/chat.update"]
    for body in bodies:
        assert {key: body[key] for key in ("parse", "link_names", "unfurl_links", "unfurl_media")} == {
            "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False,
        }  # fmt: skip
        assert not {"username", "icon_emoji", "icon_url", "markdown_text", "attachments"} & set(body)


def test_a_webhook_posts_and_cannot_edit(slack, webhook):
    assert webhook.post("#ignored", HELLO) == Posted(None, None)
    assert slack.accepted[0].text == "HIGH: hello"
    assert slack.requests[0].body["link_names"] is False
    assert not webhook.can_edit
    assert isinstance(webhook.update("C1", "1.1", HELLO), ThreadLost)
    assert webhook.check() is None


def test_both_are_senders(bot, webhook):
    senders: list[Sender] = [bot, webhook]
    assert [sender.can_edit for sender in senders] == [True, False]


def test_a_dropped_connection_is_one_request_and_an_open_question(slack, bot, webhook):
    """T1, half of it: the default handler of the client would have posted again."""
    for sender in (bot, webhook):
        slack.requests.clear()
        slack.accepted.clear()
        slack.plan(DROP_AFTER, DROP)
        assert sender.post("#alerts", HELLO) == Ambiguous("RemoteDisconnected")
        assert (len(slack.requests), len(slack.accepted)) == (1, 1)
        assert sender.post("#alerts", HELLO) == Ambiguous("RemoteDisconnected")
        assert (len(slack.requests), len(slack.accepted)) == (2, 1)


def test_a_slow_answer_is_an_open_question(slack):
    slack.plan(slow(30), slow(30))
    assert BotSender(TOKEN, base_url=slack.url, timeout_seconds=0.05).post("#alerts", HELLO) == Ambiguous(
        "TimeoutError"
    )
    assert WebhookSender(slack.webhook_url, timeout_seconds=0.05).post("", HELLO) == Ambiguous("TimeoutError")


def test_nobody_at_the_other_end_is_not_posted():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    retry = Retry(30.0, "ConnectionRefusedError")
    assert BotSender(TOKEN, base_url=f"http://127.0.0.1:{port}/api/").post("#alerts", HELLO) == retry
    assert WebhookSender(f"http://127.0.0.1:{port}/x").post("#alerts", HELLO) == retry


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [(3, 3.0), (0, 0.0), (86_400, 900.0), ("soon", 30.0), ("-1", 30.0), ("nan", 30.0), ("9" * 30, 30.0)],
)
def test_too_many_messages_is_a_value_at_once(slack, bot, webhook, retry_after, seconds):
    """T13: nobody sleeps a Retry-After here."""
    slack.plan(limited(retry_after), limited(retry_after))
    began = time.monotonic()
    assert bot.post("#alerts", HELLO) == Retry(seconds, "ratelimited")
    assert webhook.post("#alerts", HELLO) == Retry(seconds, "ratelimited")
    assert time.monotonic() - began < 1
    assert not slack.accepted


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failing(500), Ambiguous("http_500")),
        (failing(503), Ambiguous("http_503")),
        (Answer(body="<html>a proxy's own page</html>"), Ambiguous("http_200")),
        (Answer(body="[]"), Ambiguous("http_200")),
        (Answer(body="null"), Ambiguous("http_200")),
        (Answer(body='"ok"'), Ambiguous("AttributeError")),
        (Answer(body='{"ok": true}'), Ambiguous("answer_without_ts")),
        (Answer(body='{"ok": true, "ts": 1, "channel": {}}'), Ambiguous("answer_without_ts")),
        (Answer(body='{"ok": false}'), Ambiguous("http_200")),
        (Answer(body='{"ok": false, "error": {"a": 1}}'), Ambiguous("http_200")),
        (Answer(body='{"ok": false, "error": "invalid_blocks", "response_metadata": {"messages": "x"}}'), PayloadRefused("invalid_blocks")),
        (Answer(body='{"ok": false, "error": "invalid_blocks", "response_metadata": []}'), PayloadRefused("invalid_blocks")),
        (Answer(error="ratelimited"), Retry(30.0, "ratelimited")),
    ],
)  # fmt: skip
def test_an_odd_answer_is_a_value_too(slack, bot, answer, expected):
    slack.plan(answer._replace(accepts=False))
    assert bot.post("#alerts", HELLO) == expected


def test_what_slack_finds_wrong_with_a_payload_is_told(slack, bot, webhook):
    too_long = Message("x", (section("x" * 3_001),))
    answer = bot.post("#alerts", too_long)
    assert answer == PayloadRefused(
        "invalid_blocks", "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    )
    assert webhook.post("", too_long) == PayloadRefused("invalid_blocks")
    posted = bot.post("#alerts", HELLO)
    assert bot.update(posted.channel, posted.ts, Message("x" * 4_001)) == PayloadRefused("msg_too_long")


def test_a_workspace_that_takes_no_metadata_is_posted_to_without(slack, bot):
    slack.plan("metadata_must_be_sent_from_app")
    assert isinstance(bot.post("#alerts", HELLO), Posted)
    assert isinstance(bot.post("#alerts", HELLO), Posted)
    assert ["metadata" in request.body for request in slack.requests] == [True, False, False]


def test_a_message_that_is_gone_is_a_lost_thread(bot):
    assert bot.update("CALERTS", "1.1", HELLO) == ThreadLost("message_not_found")
    assert bot.post("#alerts", HELLO, thread="1.1") == ThreadLost("thread_not_found")


def test_a_revoked_token_and_a_lost_channel_are_somebodys_to_mend(slack, bot):
    slack.channels = {"#others"}
    assert bot.post("#alerts", HELLO) == Misconfigured("channel_not_found")
    slack.token = None
    assert bot.post("#others", HELLO) == Misconfigured("token_revoked")
    assert bot.check() == Misconfigured("token_revoked")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, "no_service", Misconfigured("no_service")),
        (404, "<html>", Misconfigured("http_404")),
        (403, "action_prohibited", Misconfigured("action_prohibited")),
        (410, "channel_is_archived", Misconfigured("channel_is_archived")),
        (400, "invalid_payload", PayloadRefused("invalid_payload")),
        (400, "something new", PayloadRefused("http_400")),
        (429, "rate_limited", Retry(30.0, "rate_limited")),
        (500, "rollup_error", Ambiguous("rollup_error")),
        (200, "<html>a proxy's own page</html>", Ambiguous("http_200")),
        (302, "", Ambiguous("http_302")),
    ],
)
def test_a_webhooks_failures_are_failures(slack, webhook, status, body, expected):
    """T20: the client raises for none of them."""
    slack.plan(Answer(status, error=body, accepts=False))
    assert webhook.post("", HELLO) == expected


DOCUMENTED = {
    Retry: "ratelimited rate_limited message_limit_exceeded external_channel_migrating",
    Ambiguous: "fatal_error internal_error service_unavailable request_timeout rollup_error brand_new_error",
    PayloadRefused: """
        invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long attachment_payload_limit_exceeded
        too_many_attachments too_many_contact_cards no_text markdown_text_conflict invalid_metadata_format
        invalid_metadata_schema metadata_too_large metadata_must_be_sent_from_app invalid_attachments block_mismatch
        invalid_arguments invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_post_type
        missing_post_type invalid_payload missing_text_or_fallback_or_attachments""",
    ThreadLost: """
        cannot_reply_to_message restricted_action_non_threadable_channel restricted_action_thread_locked
        message_not_found cant_update_message edit_window_closed update_failed thread_not_found thread_locked
        cant_broadcast_message no_dual_broadcast_content_update streaming_mode_mismatch streaming_state_conflict""",
    Misconfigured: """
        channel_not_found not_in_channel is_archived invalid_auth not_authed token_revoked token_expired
        account_inactive missing_scope no_permission restricted_action restricted_action_read_only_channel
        restricted_action_thread_only_channel ekm_access_denied access_denied org_login_required team_added_to_org
        accesslimited as_user_not_supported deprecated_endpoint method_deprecated duplicate_channel_not_found
        duplicate_message_not_found enterprise_is_restricted is_inactive messages_tab_disabled not_allowed_token_type
        team_access_not_granted team_not_found two_factor_setup_required send_on_behalf_not_allowed
        slack_connect_blocked_file_type slack_connect_canvas_sharing_blocked slack_connect_clip_sharing_blocked
        slack_connect_file_link_sharing_blocked slack_connect_file_upload_sharing_blocked
        slack_connect_lists_sharing_blocked no_service no_team action_prohibited channel_is_archived
        posting_to_general_channel_denied invalid_token user_not_found""",
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "word"), [(kind, word) for kind, words in DOCUMENTED.items() for word in words.split()]
)
def test_every_documented_error_asks_for_one_thing(kind, word):
    """T4."""
    answer = classify(word)
    assert type(answer) is kind
    assert answer.error == word


def test_no_error_asks_for_two_things():
    tables = [module._WAIT, module._PAYLOAD, module._THREAD, module._SETTINGS]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError("timed out"), Ambiguous),
        (http.client.RemoteDisconnected("gone"), Ambiguous),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Ambiguous),
        (BrokenPipeError(), Ambiguous),
        (http.client.IncompleteRead(b""), Ambiguous),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), Ambiguous),
        (ValueError("secret"), Ambiguous),
        (SlackClientError("secret"), Ambiguous),
        (SlackApiError("secret", {}), Ambiguous),
        (RecursionError(), Ambiguous),
        (urllib.error.URLError(ConnectionRefusedError()), Retry),
        (urllib.error.URLError(socket.gaierror(-2, "unknown")), Retry),
        (urllib.error.URLError(TimeoutError()), Retry),
        (urllib.error.URLError(ssl.SSLCertVerificationError()), Retry),
        (urllib.error.URLError(OSError("Tunnel connection failed: 407")), Retry),
        (urllib.error.URLError("unknown url type: secret"), Misconfigured),
        (SlackRequestError("Invalid URL detected: secret"), Misconfigured),
    ],
)
def test_every_exception_asks_for_one_thing_and_is_told_by_its_name(error, kind):
    answer = classify(error)
    assert type(answer) is kind
    assert "secret" not in repr(answer)


def test_no_secret_leaves(slack, caplog):
    """T18: not at DEBUG, not in a repr, not in an error, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    for name in ("slack_sdk", "slack_sdk.web.base_client", "slack_sdk.webhook.client", "callerid.slack", "urllib3"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    senders = [BotSender(TOKEN, base_url=slack.url), WebhookSender(slack.webhook_url)]
    answers = []
    for sender in senders:
        slack.plan("ok_no", "invalid_auth", limited(), failing(), DROP)
        answers += [sender.post("#alerts", HELLO) for _ in range(6)]
    senders.append(WebhookSender("http://127.0.0.1:1/services/examplesecretpath"))
    answers += [senders[-1].post("", HELLO), senders[0].check()]
    assert not caplog.text, "the client logs whole messages, and who is in them"
    shown = "".join([repr(answers), repr(senders), *(repr(vars(sender)) for sender in senders)])
    assert not any(secret in shown for secret in SECRETS)


@pytest.mark.parametrize("text", ["", " ", "xoxb-secret\nx", "secret", "https://hooks.slack.com/secret", "xoxb secret"])
def test_a_token_that_cannot_be_one_is_refused_without_being_quoted(text):
    with pytest.raises(ValueError, match="expected xoxb-") as raised:
        BotSender(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "http://hooks.slack.com/secret", "htp://secret", "https://a b/secret", "file:///secret"]
)
def test_an_address_that_cannot_be_one_is_refused_without_being_quoted(text):
    with pytest.raises(ValueError, match="expected https://") as raised:
        WebhookSender(text)
    assert "secret" not in str(raised.value)


def test_a_token_is_taken_with_the_line_break_that_a_secret_store_adds(slack):
    assert isinstance(BotSender(f"{TOKEN}\n", base_url=slack.url).post("#alerts", HELLO), Posted)


def test_nothing_but_a_sender_loads_the_client():
    code = (
        "import sys, callerid, callerid.scan, callerid.engine, callerid.alerts.message, callerid.alerts.slack\n"
        "sys.exit('slack_sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
