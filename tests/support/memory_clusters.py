"""API servers in memory, one for each kubeconfig context: they keep what is written, and note what they are asked.

They know neither schemas nor controllers, and admit everything: what is stored comes back as it was sent. For tests of
which cluster is asked for what; how a real API server answers is tested in ``tests/api``.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2
import pytest
from tests.support import sealing

from hanbae import errors
from hanbae.clusters import kinds

Object = dict[str, Any]

_SERVED: Final = (
    *(kind for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)),
    kinds.Kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False),
)
_ARGO_CD: Final = "argoproj.io"
_WHO: Final = "selfsubjectreviews"
_PATH: Final = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"(?:/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<below>.+))?)?)?"
)
_CONTROLLER: Final = "/services/http:sealed-secrets-controller:http/proxy/v1/"


class Request(NamedTuple):
    """What an API server was asked.

    Attributes:
        context: The context that leads to it.
        method: The HTTP method.
        path: The path.
    """

    context: str
    method: str
    path: str

    @property
    def part(self) -> str:
        """Which half of an environment it is about: ``argocd`` or ``pods``; empty for who is asking."""
        if self.path.endswith(f"/{_WHO}"):
            return ""
        return "argocd" if _ARGO_CD in self.path or "/namespaces/argocd" in self.path else "pods"


class Clusters:
    """API servers.

    Args:
        contexts: The contexts that lead to them.
        argocd: Those of them that Argo CD is in.

    Attributes:
        keys: Context → the private key of its Sealed Secrets controller.
        requests: What they were asked.
    """

    def __init__(self, contexts: Collection[str], argocd: Collection[str]) -> None:
        self.keys = {context: sealing.key(context) for context in contexts}
        self.requests: list[Request] = []
        self._certificates = {name: sealing.certificate(key) for name, key in self.keys.items()}
        self._argocd = frozenset(argocd)
        self._stored: dict[str, dict[str, Object]] = {context: {} for context in contexts}
        self._versions = itertools.count(1)
        for context in contexts:
            self.put(context, *_usual())

    def put(self, context: str, *manifests: Mapping[str, Any]) -> None:
        """Have objects in a cluster."""
        for manifest in manifests:
            kind = kinds.of(manifest["apiVersion"], manifest["kind"])
            metadata = manifest["metadata"]
            path = kind.path(metadata.get("namespace"), metadata["name"])
            self._stored[context][path] = self._versioned(json.loads(json.dumps(manifest)))

    def object(self, context: str, kind: kinds.Kind, namespace: str, name: str) -> Object | None:
        """What a cluster has of that name."""
        return self._stored[context].get(kind.path(namespace, name))

    def contacted(self) -> set[tuple[str, str]]:
        """The contexts that were asked since the last time, each with the half of an environment that it was about."""
        halves = {(request.context, request.part) for request in self.requests if request.part}
        self.requests.clear()
        return halves

    def kubeconfig(self, path: Path, current: str) -> Path:
        """A kubeconfig with all contexts, and one that leads nowhere if the current one is none of them."""
        authority = sealing.authority()
        clusters = [
            {
                "name": context,
                "cluster": {
                    "server": f"https://{context}.example.com",
                    "certificate-authority-data": authority,
                },
            }
            for context in (*self._stored, "nowhere")
        ]
        contexts = [
            {"name": cluster["name"], "context": {"cluster": cluster["name"], "user": "ann"}}
            for cluster in clusters
        ]
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": clusters,
            "users": [{"name": "ann", "user": {"token": "t"}}],
            "contexts": contexts,
            "current-context": current,
        }
        path.write_text(json.dumps(document))
        return path

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Answer in place of the network, for the rest of a test."""
        monkeypatch.setattr(
            httpx2, "AsyncHTTPTransport", lambda **_: httpx2.MockTransport(self.answer)
        )

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """What an API server answers."""
        context, path = request.url.host.partition(".")[0], request.url.path
        if context not in self._stored:
            raise httpx2.ConnectError(f"no such host: {request.url.host}")
        self.requests.append(Request(context, request.method, path))
        match = _PATH.fullmatch(path)
        if match is not None and match["plural"] not in {None, _WHO}:
            return self._of_kind(context, match, request)
        documents = {"/version": {"gitVersion": "v1.35.4"}, "/apis": self._groups(context)}
        if match is not None:
            who = {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "ann"}}}
            documents[path] = self._resources(context, match) if match["plural"] is None else who
        return httpx2.Response(200, json=documents[path])

    def _of_kind(
        self, context: str, match: re.Match[str], request: httpx2.Request
    ) -> httpx2.Response:
        """What it answers about objects."""
        if _CONTROLLER in request.url.path:
            return self._of_controller(context, request.url.path, request.content)
        kind = self._kind(context, match)
        if kind is None:
            return httpx2.Response(404, text="404 page not found")
        if match["below"] == "log":
            return httpx2.Response(200, text="")
        return self._of_object(context, kind, match, request)

    def _of_controller(self, context: str, path: str, content: bytes) -> httpx2.Response:
        """What a Sealed Secrets controller answers; what it can open it would seal alike."""
        if path.endswith("/cert.pem"):
            return httpx2.Response(200, content=self._certificates[context])
        sealed = json.loads(content)
        metadata, values = sealed["metadata"], sealed["spec"]["encryptedData"]
        label = f"{metadata['namespace']}/{metadata['name']}"
        try:
            for value in values.values():
                sealing.unsealed(value, self.keys[context], label)
        except errors.Failed:
            return httpx2.Response(409)
        return httpx2.Response(200, json=sealed)

    def _of_object(
        self, context: str, kind: kinds.Kind, match: re.Match[str], request: httpx2.Request
    ) -> httpx2.Response:
        stored, query = self._stored[context], request.url.params
        namespace, name = match["namespace"], match["name"] or ""
        body = json.loads(request.content or b"{}")
        if request.method == "GET" and not name:
            return httpx2.Response(200, json=self._list(context, kind, namespace, request))
        name = name or body["metadata"]["name"]
        path = kind.path(namespace, name)
        before = stored.get(path)
        if request.method == "POST" and before is not None:
            return _refused(409, "AlreadyExists", kind, name)
        applies = request.headers.get("content-type", "").startswith("application/apply-patch")
        if before is None and request.method != "POST" and not applies:
            return _refused(404, "NotFound", kind, name)
        if request.method == "GET":
            return httpx2.Response(200, json=before)
        if request.method == "DELETE":
            del stored[path]
            return httpx2.Response(200, json={"kind": "Status", "status": "Success"})
        after = _merged(before or {}, body) if request.method == "PATCH" else body
        after = self._versioned(after)
        if "dryRun" not in query:
            stored[path] = after
        return httpx2.Response(200, json=after)

    def _list(
        self, context: str, kind: kinds.Kind, namespace: str | None, request: httpx2.Request
    ) -> Object:
        wide = "as=PartialObjectMetadataList" in request.headers.get("accept", "")
        items = [
            manifest
            for manifest in self._stored[context].values()
            if manifest["kind"] == kind.kind
            and namespace in {None, manifest["metadata"].get("namespace")}
            and _is_selected(manifest, request.url.params)
        ]
        return {
            "apiVersion": kind.api_version,
            "kind": "PartialObjectMetadataList" if wide else f"{kind.kind}List",
            "metadata": {"resourceVersion": "1"},
            "items": items,
        }

    def _kinds(self, context: str) -> list[kinds.Kind]:
        return [kind for kind in _SERVED if kind.group != _ARGO_CD or context in self._argocd]

    def _kind(self, context: str, match: re.Match[str]) -> kinds.Kind | None:
        group, plural = match["group"] or "", match["plural"]
        served = self._kinds(context)
        return next((kind for kind in served if (kind.group, kind.plural) == (group, plural)), None)

    def _groups(self, context: str) -> Object:
        versions = {kind.api_version for kind in self._kinds(context) if kind.group}
        return {
            "kind": "APIGroupList",
            "groups": [
                {"name": version.partition("/")[0], "versions": [{"groupVersion": version}]}
                for version in sorted(versions)
            ],
        }

    def _resources(self, context: str, match: re.Match[str]) -> Object:
        version = "/".join(filter(None, (match["group"], match["version"])))
        resources = [
            {
                "name": kind.plural,
                "kind": kind.kind,
                "namespaced": kind.namespaced,
                "verbs": ["create", "get", "list", "patch", "watch"],
            }
            for kind in self._kinds(context)
            if kind.api_version == version
        ]
        return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}

    def _versioned(self, manifest: Object) -> Object:
        number = str(next(self._versions))
        metadata = {"uid": f"uid-{number}", **manifest["metadata"], "resourceVersion": number}
        return {**manifest, "metadata": metadata}


def _usual() -> Iterator[Object]:
    """What every cluster has, the Service of the Sealed Secrets controller among it."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "kube-system", "name": "sealed-secrets-controller"},
        "spec": {"ports": [{"name": "http", "port": 8080}]},
    }


def _merged(target: Any, patch: Any) -> Any:
    """A JSON Merge Patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _is_selected(manifest: Object, query: Mapping[str, str]) -> bool:
    """Whether equality selectors choose an object."""
    metadata = manifest["metadata"]
    labels = metadata.get("labels") or {}
    fields = {"metadata.name": metadata["name"], "type": manifest.get("type", "")}
    for selector, values in (("labelSelector", labels), ("fieldSelector", fields)):
        for words in filter(None, query.get(selector, "").split(",")):
            key, _, value = words.partition("=")
            if values.get(key) != value:
                return False
    return True


def _refused(code: int, reason: str, kind: kinds.Kind, name: str) -> httpx2.Response:
    message = f'{kind.resource} "{name}" {reason}'
    details = {"name": name, "kind": kind.plural}
    status = {
        "kind": "Status", "status": "Failure", "reason": reason, "message": message,
        "code": code, "details": details,
    }  # fmt: skip
    return httpx2.Response(code, json=status)
