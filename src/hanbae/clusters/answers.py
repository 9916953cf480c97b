"""What an API server answers when it does not do what it was asked, as errors of ours.

The one boundary where HTTP statuses and the exceptions of libraries become :mod:`hanbae.errors`; nothing of httpx2
or ssl leaves this package.
The distinctions are those that a caller acts on::

    errors.Forbidden            RBAC says no, or the identity is not known: waiting is of no use
    errors.Unreachable          nobody answered, or the server is failing: try again
    └── Unanswered              a write was sent and nothing came back: it may have happened, read it back
    errors.WrongUse             the cluster does not serve this kind: Argo CD or Sealed Secrets is not installed there
    errors.Refused
    ├── Missing                 the object is not there
    ├── Exists                  it is there already
    ├── Conflict                it has changed since it was read
    ├── Denied                  admission said no: pod security, a quota, a webhook, a namespace that is going away
    └── Invalid                 the API server does not accept the object

The server's sentences are bounded and pass the shape-only redactor: an invalid object's values turn up in them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx2
from msgspec import Struct

from hanbae import errors, excerpts, foreign_json, masking, object_shapes, patterns
from hanbae.clusters import kubeconfigs
from hanbae.streams import handshakes

# The authoriser's own words (k8s.io/apiserver responsewriters.Forbidden); admission never says "cannot".
_RBAC: Final = patterns.lazy(r'cannot (?P<verb>[a-z]+) (?:resource|path) "')
# etcd may have committed what the API server then failed to say. A 502 mostly comes from a load
# balancer whose API server is gone, and is waited for (see `outages`): a write that was carried out
# all the same is noticed at the next attempt, by its name or its version.
_AMBIGUOUS: Final = {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.GATEWAY_TIMEOUT}
_redact: Final = masking.Redactor()


class Unanswered(errors.Unreachable):
    """A write was sent and its answer was lost: it may or may not have happened."""

    @property
    def was_lost(self) -> bool:
        """Whether the connection broke; else the server has said that it does not know."""
        return "status" not in self.text.facts


class Missing(errors.Refused):
    """The object is not there."""


class Exists(errors.Refused):
    """An object of this name is there already."""


class Conflict(errors.Refused):
    """The object has changed since it was read."""


class Denied(errors.Refused):
    """Admission refused: pod security, a quota, a webhook, a namespace that is being deleted."""


class Invalid(errors.Refused):
    """The API server does not accept the request as it is written."""


class Expired(errors.Unreachable):
    """The resourceVersion or the continue token is too old (410): list again. Does not leave this package."""


_BY_STATUS: Final[Mapping[int, tuple[type[errors.Error], str]]] = {
    HTTPStatus.UNAUTHORIZED: (errors.Forbidden, "cluster.unauthorised"),
    HTTPStatus.FORBIDDEN: (Denied, "cluster.denied"),  # RBAC's own refusals are told apart first
    HTTPStatus.NOT_FOUND: (Missing, "cluster.missing"),
    HTTPStatus.CONFLICT: (Conflict, "cluster.conflict"),
    HTTPStatus.GONE: (Expired, "cluster.failing"),
    HTTPStatus.REQUEST_TIMEOUT: (errors.Unreachable, "cluster.failing"),
    HTTPStatus.TOO_MANY_REQUESTS: (errors.Unreachable, "cluster.failing"),
}


def kubectl(context: str, *words: str) -> str:
    """A command with which a person asks the cluster of a context, written for a shell.

    Args:
        context: The context; that of a pod's own configuration is none that kubectl would know there.
        words: The words after ``kubectl``.
    """
    option = [] if context == kubeconfigs.IN_CLUSTER else ["--context", context]
    return shlex.join(["kubectl", *words, *option])


class Call(Struct, frozen=True):
    """What a request was about, for the sentence that a person reads and the command that checks it.

    Attributes:
        verb: As in RBAC: ``get``, ``list``, ``watch``, ``create`` …
        resource: As in RBAC: ``jobs.batch``, ``pods/log``.
        namespace: The namespace; empty when it spans all or none.
        name: The object; empty for a collection.
        context: The kubeconfig's context.
        server: The API server's address.
        grant: The command that gives hanbae its rights there; empty where nobody knows one.
    """

    verb: str
    resource: str
    namespace: str
    name: str
    context: str
    server: str
    grant: str = ""

    @property
    def writes(self) -> bool:
        """True when doing it twice would not be the same as doing it once."""
        return self.verb in {"create", "update", "patch", "delete"}

    @property
    def facts(self) -> dict[str, str]:
        """The facts of the sentences about it."""
        return {
            "verb": self.verb,
            "resource": self.resource,
            "object": "/".join(part for part in (self.namespace, self.name) if part) or "*",
            "namespace": self.namespace,
            "context": self.context,
            "server": self.server,
        }

    @property
    def check(self) -> str:
        """The command with which a person checks the permission."""
        resource, _, below = self.resource.partition("/")
        # Permissions may be for objects by name, so the answer for all of them may be another one.
        named = f"{resource}/{self.name}" if self.name else resource
        part = [f"--subresource={below}"] if below else []
        where = ["-n", self.namespace] if self.namespace else ["--all-namespaces"]
        return kubectl(self.context, "auth", "can-i", self.verb, named, *part, *where)


def message(status: Any) -> str:
    """The server's sentence, bounded and masked."""
    text = status.get("message", "") if isinstance(status, dict) else ""
    return bounded(str(text))


def bounded(text: str) -> str:
    """Foreign text in one line, masked and cut."""
    return excerpts.one_line(text, redact=_redact)


def parsed(body: bytes) -> dict[str, Any]:
    """The ``Status`` in an answer's body, or an empty one when it is something else (a proxy's page, say)."""
    status = foreign_json.mapping(body)
    return status if status.get("kind") == "Status" else {}


def failure(code: int, body: bytes, call: Call) -> errors.Error:
    """The error for an answer that is not a success.

    Args:
        code: HTTP status, or the code in a watch's ERROR event.
        body: The answer's body, a ``Status`` as a rule.
        call: What was asked.
    """
    status = parsed(body)
    sentence = message(status) or bounded(body[: excerpts.READ].decode("utf-8", "replace"))
    facts = call.facts | {"message": sentence, "status": str(code)}
    # A 403 that is no Status comes from something in front of the API server: admission was never
    # asked.
    if code == HTTPStatus.FORBIDDEN and (not status or _RBAC.search(sentence)):
        facts |= {"command": call.check, "grant": call.grant}
        text = "cluster.forbidden-ungranted" if call.grant else "cluster.forbidden"
        return errors.Forbidden(text, place=None, **facts)
    kind, id = _distinguish(code, status, call)  # noqa: A001 the word of the tree
    return kind(id, place=None, **facts)


def _distinguish(code: int, status: dict[str, Any], call: Call) -> tuple[type[errors.Error], str]:
    """The error and its sentence, where the status alone does not tell."""
    outcome = _BY_STATUS.get(code, (Invalid, "cluster.invalid"))
    # The API server names an object that is not there; a path that it does not serve, as without
    # the CRD, it answers with "404 page not found".
    if code == HTTPStatus.NOT_FOUND and not foreign_json.below(status, "details").get("name"):
        outcome = (errors.WrongUse, "cluster.unknown-kind")
    elif code == HTTPStatus.CONFLICT and status.get("reason") == "AlreadyExists":
        outcome = (Exists, "cluster.exists")
    elif call.writes and code in _AMBIGUOUS:
        outcome = (Unanswered, "cluster.unanswered")
    elif code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        outcome = (errors.Unreachable, "cluster.failing")
    return outcome


def lost(error: Exception, call: Call) -> errors.Error:
    """The error for an exchange that broke off, from the HTTP library's exception."""
    why = bounded(str(error)) or type(error).__name__
    facts = call.facts | {"why": why}
    # Raised before a byte of the request itself is written; ProxyError is about the CONNECT to a
    # proxy.
    never_sent = isinstance(
        error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError
    )
    if call.writes and not never_sent:
        return Unanswered("cluster.unanswered", place=None, **(facts | {"message": why}))
    if handshakes.is_distrust(error):
        return errors.Unreachable("cluster.untrusted", place=None, **facts)
    return errors.Unreachable("cluster.unreachable", place=None, **facts)


def too_large(limit: int, call: Call) -> errors.Error:
    """The error for an answer that has more bytes than it may have."""
    facts = call.facts | {"limit": str(limit // 1024**2)}
    return errors.Unreachable("cluster.too-large", place=None, **facts)


def decoded(body: bytes, call: Call) -> dict[str, Any]:
    """An answer's JSON object.

    Raises:
        hanbae.errors.Unreachable: What answered is no API server: a proxy's or a portal's page.
    """
    try:
        return foreign_json.decode(body, dict[str, Any])
    except foreign_json.Fault:
        text = bounded(body[: excerpts.READ].decode("utf-8", "replace"))
        facts = call.facts | {"message": text, "status": "200"}
        raise errors.Unreachable("cluster.failing", place=None, **facts) from None


def value(answer: Any, call: Call, *path: str | int) -> Any:
    """What an answer has at a path of keys.

    Raises:
        hanbae.errors.Unreachable: It has nothing there: what answered is no API server.
    """
    inner = answer
    for key in path:
        try:
            inner = inner[key]
        except (LookupError, TypeError):
            lacking = ".".join(str(key) for key in path)
            raise nonsense(call, lacking) from None
    return inner


def check_object(answer: Any, kind: str, call: Call) -> None:
    """Look whether an answer is an object of a kind, or a list of them for a kind that ends in ``List``.

    An answer without anything in it is not taken for a cluster without objects.

    Raises:
        hanbae.errors.Unreachable: It is something else.
    """
    if value(answer, call, "kind") != kind:
        raise nonsense(call, f"kind: {kind}")
    listed = kind.endswith("List")
    objects = (answer.get("items") or []) if listed else [answer]
    # Items that are no list are looked at as one item without a shape, so that they are refused in
    # the same words.
    for item in objects if isinstance(objects, list) else [None]:
        lacking = object_shapes.fault(item, kind.removesuffix("List"))
        if lacking:
            raise nonsense(call, lacking)


def nonsense(call: Call, lacking: str) -> errors.Unreachable:
    """The error for an answer that no API server gives.

    Args:
        call: What was asked.
        lacking: What it does not have, or not as it has to be: a path of keys.
    """
    return errors.Unreachable("cluster.nonsense", place=None, **call.facts, lacking=lacking)
