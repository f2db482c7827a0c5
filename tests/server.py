"""A server on loopback that can fail in every way."""

import gzip
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.workspace import RAW_FILES


@dataclass(frozen=True)
class Response:
    """What is sent instead of a file.

    After `stall` bytes, silence until the server's `released` is set; with `reset`, no answer.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stall: int | None = None
    reset: bool = False


class Server(ThreadingHTTPServer):
    """Serves `answers` or `files`, by path."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.released = threading.Event()
        self.files = {f"/data/{name}": content for name, content in RAW_FILES.items()}
        self.answers: dict[str, Response] = {}
        self.requests: list[str] = []

    def answer(self, path: str) -> Response:
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]
        if path in self.files:
            return Response(body=self.files[path])
        if path.removesuffix(".gz") in self.files:
            return Response(body=gzip.compress(self.files[path.removesuffix(".gz")]))
        return Response(404, b"nothing here")

    def handle_error(self, *_: object) -> None:
        """Print nothing if a client has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        response = self.server.answer(self.path)
        if response.reset:
            # With nothing to linger for, closing sends RST.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(response.status)
        for name, value in ({"Content-Length": str(len(response.body))} | response.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body[: response.stall])
        if response.stall is not None:
            self.wfile.flush()
            self.server.released.wait()
            self.wfile.write(response.body[response.stall :])

    def log_message(self, *_: object) -> None:
        pass
