"""Everything that hanbae reads from a cluster once; what it follows is in ``watching`` and ``logs``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

from hanbae import errors, foreign_json
from hanbae.clusters import answers, connections, kinds

PAGE: Final = 500
"""Objects per request; the API server's own tools use the same."""

_SELF: Final = kinds.Kind(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)


class Form(Struct, frozen=True):
    """The form in which a list is answered.

    Attributes:
        accept: How it is requested.
        kind: The kind of the list that is the answer.
    """

    accept: str
    kind: str


_METADATA: Final = Form(
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "PartialObjectMetadataList"
)


class Page(Struct, frozen=True):
    """Some of the objects that were asked for.

    Attributes:
        objects: The objects, complete with ``apiVersion`` and ``kind``.
        version: The resourceVersion of the whole list: a watch goes on from here.
    """

    objects: list[kinds.Object]
    version: str


async def get(
    cluster: connections.Cluster, kind: kinds.Kind, namespace: str, name: str
) -> kinds.Object | None:
    """One object, or None when it is not there.

    Raises:
        hanbae.errors.Forbidden: The identity may not read it.
        hanbae.errors.Unreachable: The cluster did not answer.
        hanbae.errors.WrongUse: The cluster does not serve this kind.
    """
    call = cluster.describe("get", kind, namespace, name=name)
    try:
        answer = await cluster.ask(call, "GET", kind.path(namespace, name))
    except answers.Missing:
        return None
    answers.check_object(answer, kind.kind, call)
    return kind.complete(answer)


async def find(
    cluster: connections.Cluster,
    kind: kinds.Kind,
    namespace: str | None,
    *,
    label_selector: str | None = None,
    field_selector: str | None = None,
) -> list[kinds.Object]:
    """All objects of a kind in a namespace (None or empty: in all of them) that the selectors choose.

    Raises:
        hanbae.errors.Error: As :func:`get`.
    """
    return [
        item
        async for page in pages(
            cluster, kind, namespace, label_selector=label_selector, field_selector=field_selector
        )
        for item in page.objects
    ]


async def metadata(
    cluster: connections.Cluster,
    kind: kinds.Kind,
    namespace: str | None,
    *,
    label_selector: str | None = None,
) -> list[kinds.Object]:
    """As :func:`find`, of each object the metadata alone: what is in Secrets neither travels nor is held.

    Raises:
        hanbae.errors.Error: As :func:`get`.
    """
    return [
        item
        async for page in pages(
            cluster, kind, namespace, label_selector=label_selector, form=_METADATA
        )
        for item in page.objects
    ]


async def pages(
    cluster: connections.Cluster,
    kind: kinds.Kind,
    namespace: str | None,
    *,
    label_selector: str | None = None,
    field_selector: str | None = None,
    form: Form | None = None,
    size: int = PAGE,
) -> AsyncIterator[Page]:
    """As :func:`find`, page by page, with the resourceVersion of the list.

    Args:
        cluster: The cluster.
        kind: The kind.
        namespace: The namespace; None or empty for all of them.
        label_selector: Labels of the objects.
        field_selector: Fields of the objects.
        form: Another form than the whole objects.
        size: Objects of a page at most; few of what is large.

    Raises:
        hanbae.clusters.answers.Expired: Reading took so long that the list is no longer kept: begin again.
    """
    params = selectors(label_selector, field_selector) | {"limit": str(size)}
    call = cluster.describe("list", kind, namespace)
    form = form or Form("application/json", f"{kind.kind}List")
    while True:
        answer = await cluster.ask(
            call, "GET", kind.path(namespace), params=params, accept=form.accept
        )
        answers.check_object(answer, form.kind, call)
        metadata = foreign_json.below(answer, "metadata")
        objects = [kind.complete(item) for item in answer.get("items") or []]
        yield Page(objects, str(metadata.get("resourceVersion") or ""))
        following = str(metadata.get("continue") or "")
        if not following:
            return
        # A server that always gives the same token would be read for ever.
        if following == params.get("continue"):
            raise answers.nonsense(call, "metadata.continue")
        params["continue"] = following


def selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    """The query of a list or a watch."""
    query = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in query.items() if value}


async def service_get(
    cluster: connections.Cluster,
    namespace: str,
    service: str,
    path: str,
    *,
    port: str | int | None = None,
) -> bytes:
    """What a Service answers to a GET, through the API server's proxy, as kubeseal fetches its certificate.

    Args:
        cluster: The cluster.
        namespace: The Service's namespace.
        service: Its name.
        path: The path of the request, such as ``/v1/cert.pem``.
        port: The port's name or number; None for the first one of the Service.

    Raises:
        hanbae.clusters.answers.Missing: There is no such Service.
        hanbae.errors.Unreachable: None of its pods answers this.
        hanbae.errors.Forbidden: The identity may not use the proxy.
    """
    # Asked even where the port is known: it tells a Service that is not there from one that does
    # not answer.
    first = await first_port(cluster, namespace, service)
    port = first if port is None else port
    call = cluster.describe("get", kinds.SERVICE, namespace, name=service, subresource="proxy")
    below = kinds.SERVICE.path(namespace, f"http:{service}:{port}", "proxy")
    try:
        return await cluster.send(call, "GET", f"{below}/{path.lstrip('/')}")
    except errors.Forbidden:
        raise
    except errors.Error as error:
        # Whatever is wrong now is wrong behind the Service: it has no endpoint, or what answers has no such page.
        why = error.text.facts.get("message") or error.text.facts.get("why", "")
        raise errors.Unreachable(
            "cluster.service-silent", service=f"{namespace}/{service}", path=path, why=why
        ) from None


async def first_port(cluster: connections.Cluster, namespace: str, service: str) -> str:
    """The name of a Service's first port, or its number where it has no name.

    Raises:
        hanbae.clusters.answers.Missing: There is no such Service.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    call = cluster.describe("get", kinds.SERVICE, namespace, name=service)
    manifest = await cluster.ask(call, "GET", kinds.SERVICE.path(namespace, service))
    first = answers.value(manifest, call, "spec", "ports", 0)
    return str(foreign_json.below(first).get("name") or answers.value(first, call, "port"))


async def identity(cluster: connections.Cluster) -> str:
    """Who the API server takes us for: the user's name."""
    review = {"apiVersion": _SELF.api_version, "kind": _SELF.kind}
    # A POST that stores nothing: under another verb than "create" it counts as a read, which may be
    # repeated.
    call = cluster.describe("review", _SELF, None)
    answer = await cluster.ask(call, "POST", _SELF.path(None), body=review)
    return str(answers.value(answer, call, "status", "userInfo", "username"))


async def version(cluster: connections.Cluster) -> str:
    """The API server's version, such as ``v1.35.4``."""
    call = answers.Call("get", "/version", "", "", cluster.context, cluster.server)
    return str(answers.value(await cluster.ask(call, "GET", "/version"), call, "gitVersion"))


async def uid(cluster: connections.Cluster) -> str:
    """What tells this cluster from every other: the uid of its ``kube-system`` namespace."""
    call = cluster.describe("get", kinds.NAMESPACE, None, name="kube-system")
    namespace = await cluster.ask(call, "GET", kinds.NAMESPACE.path(None, "kube-system"))
    return str(answers.value(namespace, call, "metadata", "uid"))
