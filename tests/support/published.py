"""Forges and chats that cannot be run here, by their published descriptions.

Each request is held to them, and answered with their own example.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import jsonschema_rs

from hanbae import masking
from hanbae.forges import connections, logins

FOLDER = Path(__file__).parents[1] / "data"


@dataclass
class Described:
    """A service's description, and what it was asked.

    Attributes:
        operations: Method and path → query, body, status and an example of the answer.
        base: The path of the API.
        requests: The operations that were used, in order, each with its body.
        answers: Operation → answer, where it is not the example: a document, or a whole answer.
        pages: Operation → its answers, page by page.
        turns: Operation → its answers, one for each request that is still to come.
        heads: The headers of each request, in order.
        paths: The path of each request, in order.
    """

    operations: dict[str, dict[str, Any]]
    base: str
    requests: list[tuple[str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    pages: dict[str, list[Any]] = field(default_factory=dict)
    turns: dict[str, list[Any]] = field(default_factory=dict)
    heads: list[httpx2.Headers] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, name: str, base: str, *, kind: str = "forges") -> Described:
        return cls(json.loads((FOLDER / kind / f"{name}.json").read_text())["operations"], base)

    def client(self) -> httpx2.Client:
        """A client whose every request is held to the description, wherever it goes."""
        return httpx2.Client(transport=httpx2.MockTransport(self._answer))

    def connection(self, kind: logins.Kind, url: str) -> connections.Connection:
        """A connection whose every request is held to the description."""
        client = httpx2.AsyncClient(
            transport=httpx2.MockTransport(self._answer),
            base_url=f"https://forge.example.com{self.base}",
        )
        login = logins.Login(kind, url, masking.Masked(b"t0ken"), "TOKEN")
        return connections.Connection(client, login)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.raw_path.decode().partition("?")[0].removeprefix(self.base)
        name = next((entry for entry in self.operations if _fits(entry, request.method, path)), "")
        assert name, f"no such operation: {request.method} {path}"
        operation = self.operations[name]
        for key, value in request.url.params.items():
            assert key in operation["query"], f"{name} takes no {key}"
            schema = operation["query"][key]
            read = (
                value if schema.get("type") != "boolean" else {"true": True, "false": False}[value]
            )
            if "type" in schema:
                read = int(value) if schema["type"] == "integer" else read
            jsonschema_rs.validate(schema, read)
        self.heads.append(request.headers)
        self.paths.append(path)
        body = _body(request)
        assert (body is not None) <= ("body" in operation), f"{name} takes no body"
        if "body" in operation:
            schema = {"additionalProperties": False, **operation["body"]}
            jsonschema_rs.validate(schema, body)
        self.requests.append((name, body))
        answer = self.answers.get(name, operation["answer"])
        if name in self.pages:
            answer = self.pages[name][int(request.url.params["page"]) - 1]
        if name in self.turns:
            answer = self.turns[name].pop(0)
        if isinstance(answer, httpx2.Response):
            return answer
        if operation["status"] == HTTPStatus.NO_CONTENT:
            return httpx2.Response(HTTPStatus.NO_CONTENT)
        return httpx2.Response(operation["status"], json=answer)


def _body(request: httpx2.Request) -> Any:
    """What a request sends: JSON, or the fields of a form."""
    if request.headers.get("content-type") == "application/x-www-form-urlencoded":
        return dict(parse_qsl(request.content.decode(), keep_blank_values=True))
    return json.loads(request.content) if request.content else None


def _fits(operation: str, method: str, path: str) -> bool:
    own, _, template = operation.partition(" ")
    pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template))
    return own == method and re.fullmatch(pattern, path) is not None
