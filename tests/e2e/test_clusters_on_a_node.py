"""Logs and probes on a real node, through connections that break."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.support import outcomes, polling

from hanbae import errors
from hanbae.clusters import connections, kinds, logs, probes, reading, writing
from hanbae.policy import labels
from hanbae.sandbox import binaries, running, system_images

pytestmark = pytest.mark.e2e

NAMESPACE = f"hanbae-clusters{os.environ.get(outcomes.AGAIN, '')}"
DEADLINE = 240.0
"""Seconds that a Job may run; a busy node takes most of them before its pod is there."""


class Relay:
    """Passes TCP on to the API server; `cut` breaks every connection at once."""

    def __init__(self, host: str, port: int) -> None:
        self.cuts = 0
        self._away = False
        self._answered = asyncio.Event()
        self._to = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
        self.cut()
        await asyncio.gather(*self._served, return_exceptions=True)

    def cut(self) -> None:
        self.cuts += 1
        for writer in list(self._writers):
            writer.transport.abort()

    async def away(self, seconds: float) -> None:
        """Nobody gets through for a while."""
        self._away = True
        self.cut()
        await asyncio.sleep(seconds)
        self._away = False

    async def cut_every(self, seconds: float) -> None:
        """Cut so long after the server was heard again: on a busy machine, to be connected takes as long."""
        while True:
            self._answered.clear()
            await self._answered.wait()
            await asyncio.sleep(seconds)
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        if self._away:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(*self._to)
        pair = {writer, back}
        self._writers |= pair
        await asyncio.gather(_pump(reader, back), _pump(there, writer, passed=self._answered))
        self._writers -= pair


async def _pump(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    *,
    passed: asyncio.Event | None = None,
) -> None:
    with suppress(ConnectionError):
        while data := await source.read(4096):
            sink.write(data)
            await sink.drain()
            if passed is not None:
                passed.set()
    sink.close()
    with suppress(ConnectionError):
        await sink.wait_closed()


@pytest.fixture
async def relay(sandbox: Any, tmp_path: Path) -> AsyncIterator[Relay]:
    config = YAML(typ="safe").load(Path(sandbox.kubeconfig).read_text())  # noqa: ASYNC240
    cluster = config["clusters"][0]["cluster"]
    host, port = cluster["server"].removeprefix("https://").split(":")
    relay = Relay(host, int(port))
    async with relay.listening() as local:
        cluster |= {"server": f"https://127.0.0.1:{local}", "tls-server-name": "kubernetes"}
        path = tmp_path / "kubeconfig"
        path.touch(0o600)
        path.write_text(json.dumps(config))
        relay.kubeconfig = path  # type: ignore[attr-defined]
        yield relay


@pytest.fixture
async def cluster(relay: Relay) -> AsyncIterator[connections.Cluster]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    async with connections.connect(kubeconfig=relay.kubeconfig) as connected:  # type: ignore[attr-defined]
        with suppress(errors.Refused):
            namespace = {"metadata": {"name": NAMESPACE, "labels": labels}}
            await writing.create(connected, kinds.NAMESPACE, namespace)

        async def has_account() -> bool:
            """Whether pods are taken: admission refuses them until their account is there."""
            account = await reading.get(connected, kinds.SERVICEACCOUNT, NAMESPACE, "default")
            return account is not None

        await polling.reached(has_account)
        yield connected


@functools.cache
def image() -> str:
    """One that has a shell, and is on the node."""
    programs = binaries.obtain(progress=running.Silent())
    return system_images.reference(system_images.POSTGRESQL, programs)


def job(name: str, script: str, **container: Any) -> kinds.Object:
    app = {"name": "app", "image": image(), "command": ["sh", "-c", script], **container}
    spec = {"securityContext": {"runAsUser": 65532}, "containers": [app]}
    metadata = {"namespace": NAMESPACE, "name": name, "labels": {labels.KEY: name}}
    return {"metadata": metadata, "spec": {"template": {"spec": spec}}}


async def start(cluster: connections.Cluster, name: str, script: str, **spec: Any) -> None:
    hardened = probes.hardened(job(name, script), deadline=DEADLINE)["spec"]["template"]["spec"]
    metadata = {"namespace": NAMESPACE, "name": name}
    await writing.create(cluster, kinds.POD, {"metadata": metadata, "spec": hardened | spec})


def process(marker: str) -> int:
    """Id of the process on this machine in whose command line a text is."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if marker.encode() in path.read_bytes():
                return int(path.parent.name)
    message = f"no process has {marker} in its command line"
    raise AssertionError(message)


async def until_begun(cluster: connections.Cluster, name: str) -> None:
    """Wait until the pod of a Job has written something."""

    async def has_written() -> bool:
        selector = f"{labels.KEY}={name}"
        pods = await reading.find(cluster, kinds.POD, NAMESPACE, label_selector=selector)
        written = [
            await logs.tail(cluster, NAMESPACE, pod["metadata"]["name"], "app") for pod in pods
        ]
        return any(written)

    await polling.reached(has_written, pause=0.2)


async def follow(cluster: connections.Cluster, pod: str, **options: Any) -> list[str]:
    async with asyncio.timeout(polling.PATIENCE):
        return [line.text async for line in logs.follow(cluster, NAMESPACE, pod, "app", **options)]


async def test_log_has_every_line_once_through_broken_connections(
    cluster: connections.Cluster, relay: Relay
) -> None:
    script = (
        "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done;"
        "while [ $i -lt 3150 ]; do echo line $i; i=$((i+1)); sleep 0.05; done"
    )
    await start(cluster, "lines", script)
    cutting = asyncio.create_task(relay.cut_every(0.9))
    try:
        async with asyncio.timeout(polling.PATIENCE):
            stream = logs.follow(cluster, NAMESPACE, "lines", "app")
            received = [line async for line in stream]
    finally:
        cutting.cancel()
    assert [line.text for line in received] == [f"line {number}" for number in range(3150)]
    assert not any(line.gap for line in received)
    assert relay.cuts > 2


async def test_log_of_thirty_mebibytes_has_every_line_once_through_rotations(
    cluster: connections.Cluster, sandbox: Any
) -> None:
    """The kubelet looks every three seconds whether a log has grown over 1 MiB, and rotates it.

    What is rotated before it is read is gone for whoever reads: the next lines are written when these have been read.
    """
    padding, marker = "x" * 1000, "writes-on-when-it-is-read"
    script = (
        f": {marker}; go=; trap 'go=1' USR1;"
        f"i=0; while [ $i -lt 30000 ]; do echo line $i {padding}; i=$((i+1));"
        "[ $((i % 500)) -ne 0 ] || { sleep 0.5; until [ $go ]; do sleep 0.05; done; go=; }; done;"
        "echo line $i is the last"
    )
    folder = sandbox.site.folder.root / "pod-logs"

    async def will_not_rotate() -> bool:
        """Whether the newest file is small: one that is rotated at the log's very end may hide that nothing came."""
        with suppress(FileNotFoundError):  # it is being rotated now
            newest = folder.glob(f"{NAMESPACE}_rotated_*/app/0.log")
            return any(file.stat().st_size < 1 << 20 for file in newest)
        return False

    await start(cluster, "rotated", script, activeDeadlineSeconds=240)
    expected, writer = 0, 0
    async with asyncio.timeout(polling.PATIENCE):
        async for line in logs.follow(cluster, NAMESPACE, "rotated", "app"):
            assert line.text.startswith(f"line {expected} "), line.text[:40]
            assert not line.gap
            expected += 1
            if expected == 30000:
                await polling.reached(will_not_rotate)
            if expected % 500 == 0:
                writer = writer or process(marker)
                os.kill(writer, signal.SIGUSR1)
    assert expected == 30001
    files = list(folder.glob(f"{NAMESPACE}_rotated_*/app/*"))
    assert len(files) > 3, "it was rotated again and again"


@pytest.mark.parametrize(
    ("name", "lines", "calm", "rest", "away"),
    # The last one ends with a burst and a rest, in which even the newest file is rotated away.
    [("goes-on", 30000, 30000, 0, 12), ("has-ended", 7000, 5000, 7, 20)],
)
async def test_lines_that_were_rotated_away_unread_are_a_gap_and_none_comes_twice(
    cluster: connections.Cluster,
    relay: Relay,
    name: str,
    lines: int,
    calm: int,
    rest: int,
    away: int,
) -> None:
    """Nobody can read while the log is rotated several times; the node keeps only the newest file for us.

    As long as somebody reads, the next lines are written when these have been read: what is rotated twice under a
    reader who is slower is lost within one connection, and nobody is told.
    """
    padding, marker = "x" * 1000, f"writes-{name}-when-it-is-read"
    script = (
        f": {marker}; go=; alone=; trap 'go=1' USR1; trap 'alone=1' USR2; trap 'alone=' HUP;"
        f"i=0; while [ $i -lt {lines} ]; do echo line $i {padding}; i=$((i+1));"
        f"[ $((i % 500)) -ne 0 ] || [ $i -gt {calm} ] ||"
        f"{{ sleep 0.8; until [ $go$alone ]; do sleep 0.05; done; go=; }}; done; sleep {rest}"
    )

    def tell(number: signal.Signals) -> None:
        assert writer is not None
        with suppress(ProcessLookupError):  # it has written all
            signal.pidfd_send_signal(writer, number)

    await start(cluster, name, script, activeDeadlineSeconds=240)
    received: list[int] = []
    gaps: list[int] = []
    shut, writer = None, None
    async with asyncio.timeout(polling.PATIENCE):
        async for line in logs.follow(cluster, NAMESPACE, name, "app"):
            if line.gap:
                gaps.append(len(received))
                tell(signal.SIGHUP)
                continue
            number = int(line.text.split()[1])
            received.append(number)
            if writer is None:
                writer = os.pidfd_open(process(marker))
            if number >= 3000 and shut is None:
                tell(signal.SIGUSR2)
                shut = asyncio.create_task(relay.away(away))
            if number % 500 == 499:
                tell(signal.SIGUSR1)
    if writer is not None:
        os.close(writer)
    assert received == sorted(set(received)), "each line once, in order"
    # Of a container that has ended, the kubelet may have nothing left for us: its newest file is empty.
    after = [*received[1:], lines]
    jumps = [
        position for position, number in enumerate(after, 1) if number != received[position - 1] + 1
    ]
    assert jumps, "lines were rotated away"
    assert gaps == jumps
    assert name == "has-ended" or gaps[0] < len(received), "it was read on after the gap"


async def test_quiet_container_is_followed_over_several_connections(
    cluster: connections.Cluster,
) -> None:
    await start(cluster, "quiet", "echo a; sleep 3; echo b; sleep 3; echo c")
    assert await follow(cluster, "quiet", silence=1.0) == ["a", "b", "c"]


async def test_one_run_of_a_restarting_container_is_followed_and_the_one_before_is_there(
    cluster: connections.Cluster,
) -> None:
    await start(cluster, "loop", "echo begun; sleep 1; echo dying; exit 3", restartPolicy="Always")
    assert await follow(cluster, "loop") == ["begun", "dying"]

    async def is_restarted() -> bool:
        pod = await reading.get(cluster, kinds.POD, NAMESPACE, "loop")
        assert pod is not None
        return int(pod["status"]["containerStatuses"][0]["restartCount"]) >= 1

    await polling.reached(is_restarted, pause=0.2)
    before = await logs.tail(cluster, NAMESPACE, "loop", "app", lines=1, previous=True)
    assert [line.text for line in before] == ["dying"]
    await writing.delete(cluster, kinds.POD, NAMESPACE, "loop")


async def test_probe_gives_its_whole_log_and_is_gone(cluster: connections.Cluster) -> None:
    ended = await probes.run_to_end(cluster, job("good", "seq 1 500; echo done"), deadline=DEADLINE)
    assert ended.succeeded
    assert ended.log == [*map(str, range(1, 501)), "done"]

    async def is_gone() -> bool:
        return await reading.get(cluster, kinds.JOB, NAMESPACE, "good") is None

    await polling.reached(is_gone, pause=0.1)


async def test_probe_says_how_it_failed(cluster: connections.Cluster) -> None:
    failing = job("bad", "echo no >&2; exit 4")
    ended = await probes.run_to_end(cluster, failing, deadline=DEADLINE)
    assert (ended.exit_code, ended.reason, ended.log) == (4, "Error", ["no"])
    slow = job("slow", "echo begun; sleep 60")
    async with asyncio.TaskGroup() as tasks:
        probe = tasks.create_task(probes.run_to_end(cluster, slow, deadline=DEADLINE))
        await until_begun(cluster, "slow")
        # A deadline counts from before the pod is there, which takes as long as it takes.
        passed = {"spec": {"activeDeadlineSeconds": 1}}
        await writing.merge_patch(cluster, kinds.JOB, NAMESPACE, "slow", passed)
    ended = probe.result()
    assert (ended.reason, ended.log) == ("DeadlineExceeded", ["begun"])


async def test_probe_survives_broken_connections(
    cluster: connections.Cluster, relay: Relay
) -> None:
    script = "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.1; done"
    async with asyncio.TaskGroup() as tasks:
        probe = tasks.create_task(probes.run_to_end(cluster, job("cut", script), deadline=DEADLINE))
        await until_begun(cluster, "cut")
        cutting = tasks.create_task(relay.cut_every(0.5))
        ended = await probe
        cutting.cancel()
    assert relay.cuts
    assert ended.succeeded
    assert ended.log == [str(number) for number in range(60)]


@pytest.mark.parametrize(
    ("name", "container", "reason"),
    [
        (
            "nosecret",
            {"envFrom": [{"secretRef": {"name": "absent"}}]},
            "CreateContainerConfigError",
        ),
        ("root", {"securityContext": {"runAsUser": 0}}, "FailedCreate"),
    ],
)
async def test_probe_that_cannot_start_fails_with_the_clusters_reason(
    cluster: connections.Cluster, name: str, container: dict[str, Any], reason: str
) -> None:
    with pytest.raises(errors.Failed) as caught:
        await probes.run_to_end(cluster, job(name, "true", **container), deadline=DEADLINE, grace=2)
    assert caught.value.text.facts["reason"] == reason


async def test_certificate_is_fetched_through_the_service_proxy(
    cluster: connections.Cluster,
) -> None:
    controller = (cluster, "kube-system", "sealed-secrets-controller")
    assert (await reading.service_get(*controller, "/v1/cert.pem")).startswith(
        b"-----BEGIN CERTIFICATE"
    )
    with pytest.raises(errors.Unreachable):
        await reading.service_get(*controller, "/nothing")
