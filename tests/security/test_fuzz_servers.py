"""Whatever a cluster, Argo CD or a registry answers, a command ends with a result or with words."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fuzzing

from hanbae import errors, masking
from hanbae.argo import applications as argo
from hanbae.argo import standing
from hanbae.argocd_api import answers as argocd_answers
from hanbae.argocd_api import application_calls, comparing, settings
from hanbae.argocd_api import connections as argocd_connections
from hanbae.clusters import answers, connections, discovering, kinds, logs, reading, watching
from hanbae.engines import pod_templates, rollouts
from hanbae.images import contents, credentials, references, registry, transporting

DIGEST = f"sha256:{'a' * 64}"
IMAGE = references.parse("registry.example.com/shop/auth:1")
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "auth", "namespace": "services", "uid": "u", "resourceVersion": "5"},
    "spec": {"containers": [{"name": "server", "image": "x"}]},
    "status": {
        "phase": "Failed",
        "containerStatuses": [
            {
                "name": "server",
                "containerID": "containerd://1",
                "state": {"terminated": {"containerID": "containerd://1", "exitCode": 1}},
                "lastState": {"terminated": {"containerID": "containerd://0"}},
            }
        ],
    },
}
PODS = {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": [POD]}
STATUS = {
    "kind": "Status",
    "status": "Failure",
    "message": 'pods "x" not found',
    "reason": "NotFound",
    "details": {"name": "x", "kind": "pods", "causes": [{"reason": "a", "message": "b"}]},
    "code": 404,
}
RESOURCES = {
    "kind": "APIResourceList",
    "groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1"}]}],
    "resources": [
        {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["list", "watch", "get"]}
    ],
}
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"ports": [{"name": "http", "port": 80}]},
}
APPLICATION = {
    "metadata": {
        "name": "auth-dev",
        "uid": "u1",
        "resourceVersion": "3",
        "ownerReferences": [{"kind": "ApplicationSet", "name": "services-dev"}],
        "annotations": {"argocd.argoproj.io/refresh": "normal"},
    },
    "spec": {
        "project": "services-dev",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "services-dev"},
        "source": {"repoURL": "https://x", "path": "services/auth/helm", "targetRevision": "dev"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    },
    "status": {
        "sync": {"status": "OutOfSync", "revision": "a" * 40},
        "health": {"status": "Healthy", "message": "x"},
        "conditions": [
            {
                "type": "ComparisonError",
                "message": "m",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
        "resources": [
            {
                "group": "apps",
                "version": "v1",
                "kind": "Deployment",
                "name": "auth",
                "namespace": "services-dev",
                "status": "OutOfSync",
                "requiresPruning": True,
            }
        ],
        "summary": {"images": ["shop/auth:1"]},
        "history": [{"revision": "a" * 40, "deployedAt": "2026-01-01T00:00:00Z", "id": 1}],
        "operationState": {
            "phase": "Succeeded",
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:00:09Z",
            "operation": {"sync": {"revision": "a" * 40}, "info": [{"name": "k", "value": "v"}]},
            "syncResult": {"revision": "a" * 40, "resources": [{"kind": "Job", "name": "x"}]},
        },
    },
}
MANAGED = {
    "items": [
        {
            "kind": "Deployment",
            "namespace": "services-dev",
            "name": "auth",
            "targetState": "{}",
            "liveState": '{"a": 1}',
            "normalizedLiveState": "null",
            "predictedLiveState": "{}",
        }
    ]
}
MANIFEST = {
    "schemaVersion": 2,
    "config": {
        "digest": DIGEST,
        "size": 2,
        "mediaType": "application/vnd.oci.image.config.v1+json",
    },
    "layers": [
        {"digest": DIGEST, "size": 3, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
    ],
}
INDEX = {
    "schemaVersion": 2,
    "manifests": [
        {"digest": DIGEST, "size": 2, "platform": {"os": "linux", "architecture": "amd64"}}
    ],
}


def client(handler: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.MockTransport(handler), base_url="https://server.example.com"
    )


def response(status: int, body: bytes, headers: Any = ()) -> httpx2.Response:
    """An answer whose body comes in two parts, as from a socket."""

    async def chunks() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        yield body[len(body) // 2 :]

    return httpx2.Response(status, headers=list(headers), content=chunks())


def cluster(body: bytes, status: int = 200) -> connections.Cluster:
    """A cluster whose every answer is this."""
    fixed = client(lambda _: response(status, body))
    return connections.Cluster(fixed, context="c", server="https://x", namespace="default")


def argocd(body: bytes, status: int = 200) -> argocd_connections.Server:
    """An Argo CD whose every answer is this."""
    fixed = client(lambda _: response(status, body))
    token = masking.Masked(b"canary")
    return argocd_connections.Server(fixed, settings.Settings("https://x", token, plaintext=False))


READS: dict[str, Callable[[connections.Cluster], Any]] = {
    "get": lambda c: reading.get(c, kinds.POD, "services", "auth"),
    "find": lambda c: reading.find(c, kinds.POD, "services"),
    "version": reading.version,
    "uid": reading.uid,
    "identity": reading.identity,
    "service": lambda c: reading.service_get(c, "kube-system", "s", "/v1/cert.pem"),
    "kind": lambda c: discovering.kind(c, "apps/v1", "Deployment"),
    "api versions": discovering.api_versions,
    "tail": lambda c: logs.tail(c, "services", "auth", "server", lines=9),
    "log": lambda c: followed(c),  # noqa: PLW0108  it is defined below
}
HONEST = [POD, PODS, STATUS, RESOURCES, SERVICE, {"gitVersion": "v1.35.4"}]


async def followed(connected: connections.Cluster) -> list[Any]:
    async with aclosing(logs.follow(connected, "services", "auth", "server")) as stream:
        return [line async for _, line in _numbered(stream)]


async def _numbered(stream: Any) -> Any:
    number = 0
    async for item in stream:
        number += 1
        yield number, item
        if number > 20:
            return


@fuzzing.bounded(60)
@given(
    st.one_of(*map(fuzzing.changed_json, HONEST)),
    st.sampled_from(sorted(READS)),
    st.sampled_from([200, 200, 200, 400, 403, 404, 409, 410, 422, 500]),
)
def test_an_answer_of_a_cluster(body: bytes, question: str, status: int) -> None:
    async def ask() -> object:
        connected = cluster(body, status)
        try:
            async with asyncio.timeout(0.2):
                return await READS[question](connected)
        except TimeoutError:
            return None  # a log is followed as long as its pod may write more
        finally:
            await connected.close()

    with fuzzing.expected_errors():
        asyncio.run(ask())


@fuzzing.bounded(40)
@given(
    st.lists(
        st.one_of(
            fuzzing.changed_json({"type": "MODIFIED", "object": POD}),
            fuzzing.changed_json({"type": "ERROR", "object": STATUS}),
            fuzzing.changed_json({"type": "BOOKMARK", "object": POD}),
            fuzzing.changed_json({"type": "DELETED", "object": POD}),
        ),
        max_size=4,
    )
)
def test_the_events_of_a_watch(lines: list[bytes]) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        watch = "watch" in request.url.params
        body = b"\n".join(lines) if watch else json.dumps(PODS).encode()
        return response(200, body)

    async def watch() -> None:
        connected = connections.Cluster(client(handler), context="c", server="https://x")
        stream = watching.watch(connected, kinds.POD, "services")
        async with aclosing(stream):
            number = 0
            async for _ in stream:
                number += 1
                if number > 10:
                    return

    async def bounded() -> None:
        try:
            async with asyncio.timeout(0.1):
                await watch()
        except TimeoutError:
            return  # it goes on for ever

    with fuzzing.expected_errors():
        asyncio.run(bounded())


ADDRESS = application_calls.Address("auth-dev", "services-dev", "argocd")
QUESTIONS: dict[str, Callable[[argocd_connections.Server], Any]] = {
    "get": lambda s: application_calls.get(s, ADDRESS),
    "refresh": lambda s: application_calls.refresh(s, ADDRESS),
    "sync": lambda s: application_calls.sync(s, ADDRESS, {}),
    "terminate": lambda s: application_calls.terminate(s, ADDRESS),
    "application": lambda s: comparing.application(s, "a", "p", "n"),
    "managed": lambda s: comparing.managed(s, "a", "p", "n"),
    "username": lambda s: s.username(),
    "watch": lambda s: watched(s),  # noqa: PLW0108  it is defined below
}


async def watched(server: argocd_connections.Server) -> list[Any]:
    async with aclosing(application_calls.watch(server, ADDRESS)) as stream:
        return [change async for _, change in _numbered(stream)]


@fuzzing.bounded(60)
@given(
    st.one_of(
        *map(
            fuzzing.changed_json,
            [
                APPLICATION,
                MANAGED,
                {"error": "x", "code": 5, "message": "y"},
                {"result": {"type": "MODIFIED", "application": APPLICATION}},
                {"error": {"http_code": 500, "message": "x"}},
            ],
        )
    ),
    st.sampled_from(sorted(QUESTIONS)),
    st.sampled_from([200, 200, 200, 400, 401, 403, 404, 500]),
)
def test_an_answer_of_argocd(body: bytes, question: str, status: int) -> None:
    async def ask() -> object:
        try:
            async with asyncio.timeout(0.2):
                return await QUESTIONS[question](argocd(body, status))
        except TimeoutError:
            return None  # an Application is watched for ever

    with fuzzing.expected_errors():
        asyncio.run(ask())


@fuzzing.bounded(50)
@given(fuzzing.changed(APPLICATION))
def test_an_application_of_any_shape(application: Any) -> None:
    with fuzzing.expected_errors():
        body = json.dumps(application).encode()
        application = asyncio.run(application_calls.get(argocd(body), ADDRESS))
        argo.sync(application)
        argo.health(application)
        argo.conditions(application)
        argo.is_automated(application)
        argo.heals(application)
        standing.judge(application, "auth", "dev", head="a" * 40)
        argo.is_refreshing(application)
        argo.destination(application)
        argo.has_one_commit(application)
        argo.chart_source(application)
        argo.unpruned(application)
        argo.out_of_sync(application)
        argo.has_deployed(application, "2026-01-01T00:00:00Z", "a" * 40)
        argo.deployed_since(application, "b" * 40, "a" * 40)


WORKLOAD = {
    "metadata": {
        "name": "auth",
        "namespace": "services",
        "uid": "u1",
        "generation": 3,
        "annotations": {"deployment.kubernetes.io/revision": "3"},
        "ownerReferences": [
            {"kind": "Deployment", "name": "auth", "uid": "u1", "controller": True}
        ],
    },
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "app", "image": "a:1"}]}},
    },
    "status": {
        "observedGeneration": 3,
        "replicas": 2,
        "updatedReplicas": 2,
        "availableReplicas": 2,
        "desiredNumberScheduled": 2,
        "updatedNumberScheduled": 2,
        "numberAvailable": 2,
    },
}
FORMER = {
    "metadata": {**WORKLOAD["metadata"], "annotations": {"deployment.kubernetes.io/revision": "1"}},
    "spec": WORKLOAD["spec"],
    "data": {"spec": WORKLOAD["spec"]},
    "revision": 1,
}


@fuzzing.bounded(50)
@given(fuzzing.changed(WORKLOAD), st.sampled_from(["Deployment", "StatefulSet", "DaemonSet"]))
def test_a_workload_of_any_shape(workload: Any, kind: str) -> None:
    with fuzzing.expected_errors():
        body = json.dumps({**workload, "kind": kind} if isinstance(workload, dict) else workload)
        read = asyncio.run(
            reading.get(cluster(body.encode()), kinds.named(kind), "services", "auth")
        )
        rollouts.progress(read)
        rollouts.images(read)


@fuzzing.bounded(50)
@given(fuzzing.changed(FORMER), st.sampled_from(["Deployment", "StatefulSet"]))
def test_former_templates_of_any_shape(former: Any, kind: str) -> None:
    kept = "ReplicaSet" if kind == "Deployment" else "ControllerRevision"
    with fuzzing.expected_errors():
        body = json.dumps({"kind": f"{kept}List", "metadata": {}, "items": [former]}).encode()
        asyncio.run(pod_templates.formers(cluster(body), {**WORKLOAD, "kind": kind}))


QUESTIONS_ABOUT_IMAGES: dict[str, Callable[[registry.Registry], Any]] = {
    "digest": lambda r: r.digest(IMAGE),
    "manifest": lambda r: r.manifest(IMAGE),
    "image": lambda r: r.image_manifest(IMAGE, architecture="amd64"),
    "config": lambda r: r.config(IMAGE, architecture="amd64"),
}
CHALLENGE = 'Bearer realm="https://registry.example.com/token",service="x",scope="y"'


@fuzzing.bounded(40)
@given(
    st.one_of(
        *map(
            fuzzing.changed_json,
            [MANIFEST, INDEX, {"token": "t"}, {"errors": [{"code": "DENIED", "message": "m"}]}],
        )
    ),
    fuzzing.damaged(CHALLENGE, 'Basic realm="x"'),
    st.sampled_from(["application/vnd.oci.image.index.v1+json", "text/html", ""]),
    st.sampled_from(sorted(QUESTIONS_ABOUT_IMAGES)),
    st.sampled_from([200, 200, 200, 200, 401, 403, 404, 429, 500]),
)
def test_an_answer_of_a_registry(
    body: bytes, challenge: bytes, media_type: str, question: str, status: int
) -> None:
    headers = [(b"www-authenticate", challenge[:9000].replace(b"\n", b"").replace(b"\r", b""))]
    headers.append((b"content-type", media_type.encode()))

    def handler(request: httpx2.Request) -> httpx2.Response:
        # What a configuration's digest says of it is true, or nothing of it would be read.
        code = status if request.url.path != "/token" else 200
        return response(code, body, headers)

    async def ask() -> object:
        origin = httpx2.URL("https://registry.example.com")
        connected = registry.Registry(transporting.Transport(client(handler), origin, None))
        return await QUESTIONS_ABOUT_IMAGES[question](connected)

    with fuzzing.expected_errors():
        asyncio.run(ask())


@fuzzing.bounded(60)
@given(fuzzing.changed_json({"config": {"Labels": {"a": "b"}, "Entrypoint": ["x"]}}))
def test_the_configuration_of_an_image(body: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    manifest = json.dumps(MANIFEST | {"config": {"digest": digest}}).encode()

    def handler(request: httpx2.Request) -> httpx2.Response:
        return response(200, manifest if "manifests" in request.url.path else body)

    async def ask() -> object:
        origin = httpx2.URL("https://registry.example.com")
        connected = registry.Registry(transporting.Transport(client(handler), origin, None))
        return await connected.config(IMAGE)

    with fuzzing.expected_errors():
        asyncio.run(ask())


@fuzzing.bounded(60)
@given(fuzzing.changed_json(MANIFEST))
def test_the_layers_that_a_manifest_lists(body: bytes) -> None:
    with fuzzing.expected_errors():
        manifest = registry.Manifest(body, DIGEST, "")
        assert len(contents._layers(manifest, IMAGE)) <= contents.MOST_LAYERS


DOCKER = {
    "auths": {
        "registry.example.com": {
            "auth": base64.b64encode(b"user:password").decode(),
            "identitytoken": "t",
            "username": "u",
            "password": "p",
        },
    },
    "credHelpers": {"other.example.com": "x"},
}


@fuzzing.bounded(120)
@given(body=fuzzing.changed_json(DOCKER))
def test_the_configuration_of_docker(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "config.json").write_bytes(body)
    with fuzzing.expected_errors():
        login = credentials.of_docker("registry.example.com", folder=tmp_path)
        assert login is None or login.basic().startswith("Basic ")


@fuzzing.bounded(60)
@given(fuzzing.damaged("registry.example.com:5000/shop/auth:1.4.2@" + DIGEST, "[::1]:5000/a/b"))
def test_the_name_of_an_image(text: bytes) -> None:
    with fuzzing.expected_errors():
        reference = references.parse(text.decode("utf-8", "surrogateescape"))
        assert httpx2.URL(f"https://{reference.host}").host


@pytest.mark.parametrize("depth", [100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_that_goes_deeper_than_the_stack(depth: int, opening: str) -> None:
    body = (opening * depth).encode()
    call = cluster(b"").describe("get", kinds.POD, "services")
    with pytest.raises(errors.Unreachable):
        answers.decoded(body, call)
    assert answers.failure(500, body, call)
    argocd_call = argocd(b"").describe("get", application="a", project="p")
    with pytest.raises(errors.Unreachable):
        argocd_answers.decoded(body, argocd_call, str)
    assert argocd_answers.failure(500, body, argocd_call, str)
    assert registry.Manifest(body, DIGEST, "").content() == {}
