"""A receiver of webhooks on this machine, as somebody would write one."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

KEY: Final = "whsec_" + base64.b64encode(b"k" * 32).decode()
"""What messages are signed with."""


class Posts:
    """What a server was posted: headers and body; `answer` is its status."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answer = 204
        self.arrived = threading.Semaphore(0)
        self.answers = threading.Event()
        self.answers.set()


@contextmanager
def receiving() -> Iterator[tuple[str, Posts]]:
    """A receiver of webhooks on this machine, and what it got."""
    posts = Posts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            posts.taken.append(
                ({name.lower(): value for name, value in self.headers.items()}, body)
            )
            posts.arrived.release()
            posts.answers.wait()
            self.send_response(posts.answer)
            if posts.answer == 302:
                self.send_header("location", f"http://127.0.0.1:{self.server.server_port}/other")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?token=s3cret", posts
    finally:
        posts.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
