"""A real HTTP server on this machine that answers as a vision-language model's endpoint does, well or badly."""

from __future__ import annotations

import base64
import io
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

KEY = "sk-a-secret-that-nobody-may-see"


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        number: how many came before it.
        body: what it holds.
        headers: its headers.
        pictures: reference and generation, decoded.
        again: how many requests about the same pictures came before it.
    """

    number: int
    body: dict[str, Any]
    headers: Mapping[str, str]
    pictures: tuple[Image.Image, ...]
    again: int

    @property
    def levels(self) -> tuple[int, ...]:
        """How bright the middle of each picture is, in tens."""
        return tuple(
            round(sum(one.getpixel((one.width // 2, one.height // 2))) / 30) for one in self.pictures
        )


@dataclass(frozen=True)
class Answer:
    """What the server does with a request: wait, then send this, or hang up."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    reset: bool = False
    announced: int | None = None


def says(text: str | None, finish: str = "stop", delay: float = 0.0, **message: Any) -> Answer:
    """A model's answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish,
    }
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}
    return Answer(body=json.dumps({"id": "x", "choices": [choice], "usage": usage}), delay=delay)


def scores(number: float, delay: float = 0.0) -> Answer:
    """A model's answer as it is asked for."""
    return says(json.dumps({"score": number, "reason": "the handle"}), delay=delay)


def fails(status: int, message: str = "", headers: Mapping[str, str] = {}, code: str | None = None) -> Answer:
    """An endpoint's error."""
    return Answer(status, json.dumps({"error": {"message": message, "code": code}}), headers)


Behaviour = Callable[[Asked], Answer]


class JudgeServer(ThreadingHTTPServer):
    """Answers requests by a behaviour, and counts them.

    Attributes:
        asked: all requests for an answer, as they came.
        busiest: how many were at work at one moment, at most.
        models: what it says it has; None for no list.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour = behaviour
        self.asked: list[Asked] = []
        self.models: list[str] | None = None
        self.busiest = self._busy = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def take(self, body: dict[str, Any], headers: Mapping[str, str]) -> Asked:
        pictures = tuple(
            Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2])))
            for part in body["messages"][0]["content"]
            if part["type"] == "image_url"
        )
        with self.lock:
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
            same = [one for one in self.asked if one.body["messages"] == body["messages"]]
            asked = Asked(len(self.asked), body, headers, pictures, len(same))
            self.asked.append(asked)
        return asked

    def done(self) -> None:
        with self.lock:
            self._busy -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error."""


Serve = Callable[[Behaviour], JudgeServer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: JudgeServer

    def do_GET(self) -> None:
        if self.path == "/v1/models" and self.server.models is not None:
            self._send(Answer(body=json.dumps({"data": [{"id": name} for name in self.server.models]})))
        else:
            self._send(fails(404))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path not in (
            "/v1/chat/completions",
            "http://judge.example/v1/chat/completions",
        ):  # as to a proxy
            self._send(Answer(404, "<html>not found</html>"))
            return
        asked = self.server.take(body, dict(self.headers))
        try:
            answer = self.server.behaviour(asked)
            time.sleep(answer.delay)
        finally:
            self.server.done()
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        content = answer.body.encode("utf-8", "surrogatepass")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header(
            "Content-Length", str(len(content) if answer.announced is None else answer.announced)
        )
        self.end_headers()
        self.wfile.write(content)
        if answer.announced is not None:
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
