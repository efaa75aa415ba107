"""A Slack of our own: the Web API and an incoming webhook, as documented, on this machine.

It keeps every message that it accepted, checks every payload against Slack's limits, and can be told what goes
wrong with which request:

    with SlackServer() as slack:
        slack.plan("ratelimited", DROP_AFTER)          # the first two requests; then all is well again
        sender = BotSender(TOKEN, base_url=slack.url)

A plan's step is an error of Slack's, or an :class:`Answer`.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

from tests.alerts.slack_limits import refusal

TOKEN = "xoxb-example-secret-token"
WEBHOOK_PATH = "/services/T00000000/B00000000/examplesecretpath"


class Answer(NamedTuple):
    """How one request is answered."""

    status: int = 200
    error: str | None = None
    """An error of the Web API (in a body with status 200), or the text that a webhook answers."""
    retry_after: str | None = None
    body: str | None = None
    """What stands in place of a body of Slack's own."""
    drop: bool = False
    """The connection ends without an answer."""
    accepts: bool = True
    """Whether the message is out all the same."""
    delay_seconds: float = 0.0


OK = Answer()
DROP = Answer(drop=True, accepts=False)
DROP_AFTER = Answer(drop=True)
"""The message is out, and nobody is told."""


def limited(retry_after: object = 3) -> Answer:
    """Too many messages: try again after so many seconds."""
    return Answer(429, "ratelimited", retry_after=str(retry_after), accepts=False)


def failing(status: int = 503) -> Answer:
    """A broken Slack, which answers no JSON."""
    return Answer(status, body="<html>upstream request timeout</html>", accepts=False)


def slow(seconds: float) -> Answer:
    """The message is out at once, the answer comes late."""
    return Answer(delay_seconds=seconds)


class Request(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: dict


@dataclass
class Accepted:
    """A message that is out, as it stands now."""

    channel: str
    """The channel's id; empty for the webhook's own."""
    ts: str
    text: str
    blocks: list
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: dict | None = None
    edits: int = 0
    history: list[str] = field(default_factory=list)
    """Every ``text`` that it had, the first one first."""


class SlackServer:
    """A Slack on this machine; a context manager."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []
        self.requests: list[Request] = []
        self.token: str | None = TOKEN
        """The token that it takes; None after it was revoked."""
        self.channels: set[str] | None = None
        """The channels that there are; None: whatever is asked for."""
        self._planned: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._clock = 1_800_000_000
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address of the Web API."""
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    @property
    def webhook_url(self) -> str:
        """The address of the incoming webhook."""
        return f"http://127.0.0.1:{self._server.server_port}{WEBHOOK_PATH}"

    def plan(self, *answers: Answer | str) -> None:
        """Say how the next requests are answered, in their order; a text is an error of Slack's."""
        self._planned += [Answer(error=step, accepts=False) if isinstance(step, str) else step for step in answers]

    def texts(self, channel: str | None = None) -> list[str]:
        """The texts of the messages that are out, of one channel or of all."""
        ids = {channel, channel_id(channel)} if channel else None
        return [message.text for message in self.accepted if ids is None or message.channel in ids]

    def close(self) -> None:
        """Stop. Who is still waiting for an answer gets none."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, request: Request) -> Answer:
        """Take a request, and say how it is answered; called by the handler."""
        with self._lock:
            self.requests.append(request)
            planned = self._planned.popleft() if self._planned else OK
        self._closing.wait(planned.delay_seconds) if planned.delay_seconds else None
        if not planned.accepts:
            return planned if planned.body or planned.drop else _refused(planned, request.path)
        with self._lock:
            outcome = self._webhook(request) if request.path == WEBHOOK_PATH else self._call(request)
        return planned._replace(drop=True) if planned.drop else outcome

    def _webhook(self, request: Request) -> Answer:
        wrong = refusal(request.body)
        if wrong:
            return Answer(400, body=wrong[0])
        self._accept("", request.body)
        return Answer(body="ok")

    def _call(self, request: Request) -> Answer:
        if self.token is None:
            return _json(error="token_revoked")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _json(error="invalid_auth")
        match request.path:
            case "/api/auth.test":
                return _json(user_id="U00000000", team_id="T00000000")
            case "/api/chat.postMessage":
                return self._post(request.body)
            case "/api/chat.update":
                return self._update(request.body)
        return _json(error="unknown_method")

    def _post(self, body: dict) -> Answer:
        channel = body.get("channel", "")
        if not channel or (self.channels is not None and channel not in self.channels):
            return _json(error="channel_not_found")
        wrong = refusal(body)
        if wrong:
            return _json(error=wrong[0], response_metadata={"messages": wrong[1]})
        thread = body.get("thread_ts")
        if thread is not None and all(thread != message.ts for message in self.accepted):
            return _json(error="thread_not_found")
        message = self._accept(channel_id(channel), body)
        return _json(channel=message.channel, ts=message.ts, message={"text": message.text})

    def _update(self, body: dict) -> Answer:
        channel, ts = body.get("channel", ""), body.get("ts")
        if not channel.startswith("C"):
            return _json(error="channel_not_found")  # an edit takes no name
        found = [message for message in self.accepted if (message.channel, message.ts) == (channel, ts)]
        if not found:
            return _json(error="message_not_found")
        wrong = refusal(body, is_update=True)
        if wrong:
            return _json(error=wrong[0], response_metadata={"messages": wrong[1]})
        (message,) = found
        message.text, message.edits = body["text"], message.edits + 1
        message.blocks = body.get("blocks", message.blocks)
        message.history.append(message.text)
        return _json(channel=channel, ts=ts, text=message.text)

    def _accept(self, channel: str, body: dict) -> Accepted:
        self._clock += 1
        message = Accepted(
            channel=channel,
            ts=f"{self._clock}.000100",
            text=body["text"],
            blocks=body.get("blocks") or [],
            thread_ts=body.get("thread_ts"),
            broadcast=bool(body.get("reply_broadcast")),
            metadata=body.get("metadata"),
            history=[body["text"]],
        )
        self.accepted.append(message)
        return message


def channel_id(channel: str) -> str:
    """The id of a channel by its name; an id is its own."""
    return f"C{channel[1:].upper().replace('-', '')}" if channel.startswith("#") else channel


def _refused(planned: Answer, path: str) -> Answer:
    if path == WEBHOOK_PATH:
        return planned._replace(body=planned.error or "")
    return planned._replace(body=json.dumps({"ok": False, "error": planned.error}))


def _json(error: str | None = None, **fields: object) -> Answer:
    return Answer(body=json.dumps({"ok": error is None, **({"error": error} if error else fields)} | fields))


def _handler(slack: SlackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {key.lower(): value for key, value in self.headers.items()}
            answer = slack.answer(Request(self.path, headers, json.loads(data) if data.startswith(b"{") else {}))
            self.close_connection = True
            if answer.drop:
                return
            body = (answer.body or "").encode()
            try:
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/json; charset=utf-8")
                if answer.retry_after is not None:
                    self.send_header("Retry-After", answer.retry_after)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # who asked has gone, as one does who waits no longer

        def log_message(self, *_: object) -> None:
            pass

    return Handler
