"""What Argo CD's API answers when it does not do what it was asked, as errors of ours.

The one boundary where HTTP statuses and gRPC codes (the gateway in front of Argo CD sends both) become
:mod:`hanbae.errors`; nothing of httpx2 leaves this package.
The distinctions are those that a caller acts on::

    errors.Forbidden            the token is not known, or its role may not: waiting is of no use
    errors.Unreachable          nobody answered, or Argo CD is failing: try again
    ├── Silent                  a stream has said nothing for long: look whether it still lives
    └── Unanswered              a write was sent and nothing came back: it may have happened, read it back
    errors.Refused              also: a sync window, an automated Application
    ├── Missing                 there is no such Application, or not in this project
    ├── Busy                    another operation is already in progress
    └── Idle                    there is no operation to terminate

Argo CD's sentences are bounded and pass a redactor that knows the token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx2
from msgspec import Struct

from hanbae import errors, excerpts, foreign_json, object_shapes
from hanbae.streams import handshakes

# google.golang.org/grpc/codes; the gateway's body carries them as numbers.
_NOT_FOUND: Final = 5
_PERMISSION_DENIED: Final = 7
_UNAUTHENTICATED: Final = 16
_CODES: Final[Mapping[int, int]] = {
    HTTPStatus.UNAUTHORIZED: _UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: _PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: _NOT_FOUND,
}
Redact = Callable[[str], str]


class Silent(errors.Unreachable):
    """A stream has said nothing for as long as was allowed. Does not leave this package."""


class Unanswered(errors.Unreachable):
    """A write was sent and its answer was lost: it may or may not have happened."""


class Missing(errors.Refused):
    """There is no such Application, or none that this token may know of."""


class Busy(errors.Refused):
    """Another operation is already in progress; Argo CD has not taken this one."""


class Idle(errors.Refused):
    """There is no operation that could be terminated."""


_BY_WORDS: Final[Mapping[str, tuple[type[errors.Error], str]]] = {
    # v3.6: server/application/application.go, util/argo/argo.go
    "blocked by sync window": (errors.Refused, "argocd-api.sync-window"),
    "another operation is already in progress": (Busy, "argocd-api.busy"),
    "No operation is in progress": (Idle, "argocd-api.idle"),
}
_BY_CODE: Final[Mapping[int, tuple[type[errors.Error], str]]] = {
    _NOT_FOUND: (Missing, "argocd-api.missing"),
    _PERMISSION_DENIED: (errors.Forbidden, "argocd-api.forbidden"),
    _UNAUTHENTICATED: (errors.Forbidden, "argocd-api.unauthorised"),
}


class Call(Struct, frozen=True):
    """What a request was about, for the sentence that a person reads.

    Attributes:
        action: As in Argo CD's RBAC: ``get``, ``sync``.
        application: The Application; empty when it is about none.
        project: Its project; empty when it is not known.
        server: Argo CD's address.
        writes: Whether doing it twice would not be the same as doing it once.
    """

    action: str
    application: str
    project: str
    server: str
    writes: bool = False

    @property
    def facts(self) -> dict[str, str]:
        """The facts of the sentences about it."""
        return {
            "action": self.action,
            "application": self.application or "-",
            "project": self.project or "-",
            "server": self.server,
        }


def failure(status: int, body: bytes, call: Call, redact: Redact) -> errors.Error:
    """The error for an answer that is not a success.

    Args:
        status: The HTTP status.
        body: The answer's body: the gateway's JSON as a rule.
        call: What was asked.
        redact: Takes the token out of foreign words.
    """
    status_body = _parsed(body)
    code = foreign_json.number(status_body.get("code") or None, _CODES.get(status, 0))
    message = str(
        status_body.get("message")
        or status_body.get("error")
        or body[: excerpts.READ].decode("utf-8", "replace")
    )
    facts = call.facts | {
        "message": excerpts.one_line(message, redact=redact),
        "status": str(status),
    }
    if not status_body and (status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.NOT_FOUND):
        # A redirection, a portal's page: not Argo CD. The token is not sent anywhere else.
        return errors.Unreachable("argocd-api.not-argocd", place=None, **facts)
    kind, id = _distinguish(code, message, status, call)  # noqa: A001 the word of the tree
    return kind(id, place=None, **facts)


def _distinguish(
    code: int, message: str, status: int, call: Call
) -> tuple[type[errors.Error], str]:
    """The error and its sentence: what Argo CD says, else what its code says, else what the status says."""
    # The words come first: a closed sync window has the gRPC code of a right that is missing.
    for words, outcome in _BY_WORDS.items():
        if words in message:
            return outcome
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and call.writes:
        return Unanswered, "argocd-api.unanswered"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return errors.Unreachable, "argocd-api.failing"
    return errors.Refused, "argocd-api.refused"


def lost(error: Exception, call: Call, redact: Redact) -> errors.Error:
    """The error for an exchange that broke off, from the HTTP library's exception."""
    why = excerpts.one_line(str(error), redact=redact) or type(error).__name__
    facts = call.facts | {"why": why}
    never_sent = isinstance(
        error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError
    )
    if call.writes and not never_sent:
        return Unanswered("argocd-api.unanswered", place=None, **(facts | {"message": why}))
    if handshakes.is_distrust(error):
        return errors.Unreachable("argocd-api.untrusted", place=None, **facts)
    return errors.Unreachable("argocd-api.unreachable", place=None, **facts)


def too_large(limit: int, call: Call) -> errors.Error:
    """The error for an answer that has more bytes than it may have."""
    facts = call.facts | {"limit": str(limit // 1024**2)}
    return errors.Unreachable("argocd-api.too-large", place=None, **facts)


def decoded(body: bytes, call: Call, redact: Redact) -> dict[str, Any]:
    """An answer's JSON object.

    Raises:
        hanbae.errors.Unreachable: What answered is not Argo CD's API: its web page, a portal's.
    """
    try:
        return foreign_json.decode(body, dict[str, Any])
    except foreign_json.Fault:
        text = excerpts.one_line(body[: excerpts.READ].decode("utf-8", "replace"), redact=redact)
        facts = call.facts | {"message": text, "status": "200"}
        raise errors.Unreachable("argocd-api.not-argocd", place=None, **facts) from None


def _parsed(body: bytes) -> dict[str, Any]:
    document = foreign_json.mapping(body)
    return document if "code" in document or "error" in document else {}


def application(answer: Any, call: Call) -> dict[str, Any]:
    """An Application as Argo CD sends it.

    Raises:
        hanbae.errors.Unreachable: It has not the shape of one: what answered is not Argo CD's API. Of a write, it is
            `Unanswered`: it may have happened.
    """
    lacking = object_shapes.fault(answer, "Application")
    if lacking:
        facts = call.facts | {"message": f"{lacking}: ?", "status": "200"}
        if call.writes:
            raise Unanswered("argocd-api.unanswered", place=None, **facts)
        raise errors.Unreachable("argocd-api.not-argocd", place=None, **facts)
    return answer  # type: ignore[no-any-return]  # its metadata was found
