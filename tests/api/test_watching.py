"""Watches through everything that happens to API servers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from hanbae import errors
from hanbae.cli.text import catalogue
from hanbae.clusters import connections, kinds, logs, reading, watching, writing
from hanbae.streams import backoffs

Namer = Callable[[str], str]
WITHIN = 20.0


class Watched:
    """What a running watch has seen."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str]] = []
        self.links: list[bool] = []
        self.requests = 0
        self._changed = asyncio.Condition()

    async def read(self, stream: Any) -> None:
        async with aclosing(stream):
            async for item in stream:
                data = item.object.get("data") or {}
                self.changes.append((item.type, item.object["metadata"]["name"], data.get("v", "")))
                await self.notify()

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], *, within: float = WITHIN) -> None:
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(condition)


@asynccontextmanager
async def watching_maps(
    cluster: connections.Cluster, label: str, **options: Any
) -> AsyncIterator[Watched]:
    """A watch of the ConfigMaps with a label, in a task."""
    watched = Watched()
    notified: set[asyncio.Task[None]] = set()

    def on_link(link: watching.Link) -> None:
        watched.links.append(link.live)
        notified.add(asyncio.create_task(watched.notify()))

    request = cluster.stream

    def counted(*arguments: Any, **query: Any) -> Any:
        watched.requests += 1
        notified.add(asyncio.create_task(watched.notify()))
        return request(*arguments, **query)

    stream = watching.watch(
        cluster,
        kinds.CONFIGMAP,
        "default",
        label_selector=f"of={label}",
        on_link=on_link,
        backoff=backoffs.Backoff(longest=0.5),
        **options,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "stream", counted)
        task = asyncio.create_task(watched.read(stream))
        try:
            await watched.until(lambda: task.done() or watched.links == [True])
            yield watched
        finally:
            task.cancel()
            await asyncio.gather(task, *notified, return_exceptions=True)


async def put(cluster: connections.Cluster, label: str, name: str, value: str) -> None:
    """Create a ConfigMap or change it."""
    manifest = {
        "metadata": {"namespace": "default", "name": name, "labels": {"of": label}},
        "data": {"v": value},
    }
    try:
        await writing.create(cluster, kinds.CONFIGMAP, manifest)
    except errors.Refused:
        await writing.merge_patch(cluster, kinds.CONFIGMAP, "default", name, {"data": {"v": value}})


async def drop(cluster: connections.Cluster, name: str) -> None:
    assert await writing.delete(cluster, kinds.CONFIGMAP, "default", name)


async def test_existing_objects_come_first_then_every_change(
    cluster: connections.Cluster, unique: Namer
) -> None:
    label, a, b = unique("of"), unique("a"), unique("b")
    await put(cluster, label, a, "1")
    async with watching_maps(cluster, label) as watched:
        assert watched.changes == [("added", a, "1")]
        await put(cluster, label, b, "1")
        await put(cluster, label, a, "2")
        await drop(cluster, b)
        await watched.until(lambda: len(watched.changes) == 4)
        assert watched.changes[1:] == [("added", b, "1"), ("changed", a, "2"), ("deleted", b, "1")]


async def test_request_that_ends_goes_on_without_repeating_or_a_gap(
    cluster: connections.Cluster, unique: Namer
) -> None:
    label, a = unique("of"), unique("a")
    async with watching_maps(cluster, label, ends_after=1) as watched:
        for value in range(12):
            await put(cluster, label, a, str(value))
            if value % 4 == 3:  # so that the changes spread over several requests
                begun = watched.requests
                await watched.until(lambda begun=begun: watched.requests > begun)
        await watched.until(lambda: len(watched.changes) >= 12)
        assert [value for _, _, value in watched.changes] == [str(value) for value in range(12)]
        assert watched.links == [True]


async def test_crash_of_the_api_server_is_a_gap_and_loses_nothing(
    cluster: connections.Cluster, control_plane: Any, unique: Namer
) -> None:
    label, kept, gone, new = unique("of"), unique("kept"), unique("gone"), unique("new")
    await put(cluster, label, kept, "1")
    await put(cluster, label, gone, "1")
    async with watching_maps(cluster, label) as watched:
        before = list(watched.changes)
        control_plane.kill_apiserver()
        await watched.until(lambda: watched.links == [True, False])
        tried = watched.requests
        await watched.until(lambda: watched.requests >= tried + 3)
        await asyncio.to_thread(control_plane.start_apiserver)
        await put(cluster, label, new, "1")
        await put(cluster, label, kept, "2")
        await drop(cluster, gone)
        await watched.until(lambda: len(watched.changes) == 5)
        assert set(watched.changes) - set(before) == {
            ("added", new, "1"),
            ("changed", kept, "2"),
            ("deleted", gone, "1"),
        }
        assert watched.links[-1] is True


async def test_version_that_is_too_old_is_listed_again_and_deletions_are_worked_out(
    cluster: connections.Cluster,
    control_plane: Any,
    unique: Namer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The watch is held back while objects change, etcd is compacted and the API server forgets."""
    label = unique("of")
    names = ("same", "kept", "gone", "again", "new")
    same, kept, gone, again, new = (unique(name) for name in names)
    for name in (same, kept, gone, again):
        await put(cluster, label, name, "1")
    async with watching_maps(cluster, label, ends_after=1) as watched:
        held_back, allowed = asyncio.Event(), asyncio.Event()
        relists = 0
        follow, relist = watching._Watcher.follow, watching._Watcher.relist

        async def held(self: Any, *arguments: Any) -> Any:
            held_back.set()
            await allowed.wait()
            async with aclosing(follow(self, *arguments)) as stream:
                async for change in stream:
                    yield change

        async def counted(self: Any) -> Any:
            nonlocal relists
            relists += 1
            return await relist(self)

        monkeypatch.setattr(watching._Watcher, "follow", held)
        monkeypatch.setattr(watching._Watcher, "relist", counted)
        async with asyncio.timeout(WITHIN):
            await held_back.wait()  # the running request has ended, the next one is held
        await put(cluster, label, kept, "2")
        await drop(cluster, gone)
        await drop(cluster, again)
        await put(cluster, label, again, "new")
        await put(cluster, label, new, "1")
        control_plane.kill_apiserver()
        control_plane.compact()
        await asyncio.to_thread(control_plane.start_apiserver)
        await put(cluster, label, kept, "3")
        assert len(watched.changes) == 4
        allowed.set()
        await watched.until(lambda: len(watched.changes) >= 9)
        assert relists == 1
        # What has not changed is not among it.
        assert sorted(watched.changes[4:]) == sorted(
            [
                ("changed", kept, "3"),
                ("deleted", gone, "1"),
                ("deleted", again, "1"),
                ("added", again, "new"),
                ("added", new, "1"),
            ]
        )


async def test_what_was_read_and_goes_before_the_watch_begins_is_deleted_all_the_same(
    cluster: connections.Cluster, unique: Namer
) -> None:
    label, a, b = unique("of"), unique("a"), unique("b")
    for name in (a, b):
        await put(cluster, label, name, "1")
    present = await reading.find(cluster, kinds.CONFIGMAP, "default", label_selector=f"of={label}")
    await drop(cluster, a)
    async with watching_maps(cluster, label, present=present) as watched:
        await put(cluster, label, b, "2")
        await watched.until(lambda: len(watched.changes) == 2)
        assert watched.changes == [("deleted", a, "1"), ("changed", b, "2")]


async def test_log_of_a_pod_that_goes_before_it_is_watched_ends(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the pod and the watch of it the API server may be away."""
    name, read = unique("pod"), reading.get
    containers = [{"name": "app", "image": "example.com/app"}]
    pod = {"metadata": {"namespace": "default", "name": name}, "spec": {"containers": containers}}
    await writing.create(cluster, kinds.POD, pod)

    async def then_gone(*arguments: Any) -> kinds.Object | None:
        answer = await read(*arguments)
        await writing.delete(cluster, kinds.POD, "default", name)
        return answer

    monkeypatch.setattr(reading, "get", then_gone)
    async with asyncio.timeout(WITHIN):
        assert [line async for line in logs.follow(cluster, "default", name, "app")] == []


async def test_stalled_server_is_noticed_and_survived(
    cluster: connections.Cluster, control_plane: Any, unique: Namer
) -> None:
    label, a = unique("of"), unique("a")
    async with watching_maps(cluster, label, ends_after=1, stalled_after=0.5) as watched:
        os.kill(control_plane.pid, signal.SIGSTOP)
        try:
            await watched.until(lambda: watched.links == [True, False])
        finally:
            os.kill(control_plane.pid, signal.SIGCONT)
        await put(cluster, label, a, "1")
        await watched.until(lambda: len(watched.changes) == 1)
        assert watched.changes == [("added", a, "1")]
        # A server that has just woken may be late once more.
        assert watched.links[:3] == [True, False, True]


@pytest.mark.timeout(240)
async def test_server_that_sleeps_is_noticed_and_nothing_is_lost_or_repeated(
    cluster: connections.Cluster, control_plane: Any, unique: Namer
) -> None:
    """With the times that deployments use."""
    label, kept, gone = unique("of"), unique("kept"), unique("gone")
    await put(cluster, label, kept, "1")
    await put(cluster, label, gone, "1")
    async with watching_maps(cluster, label) as watched:
        await watched.until(lambda: len(watched.changes) == 2)
        os.kill(control_plane.pid, signal.SIGSTOP)
        try:
            await watched.until(lambda: watched.links == [True, False], within=90)
        finally:
            os.kill(control_plane.pid, signal.SIGCONT)
        async with connections.connect(kubeconfig=control_plane.kubeconfig) as other:
            await put(other, label, kept, "2")
            await drop(other, gone)
        await watched.until(lambda: len(watched.changes) == 4)
        assert watched.changes[2:] == [("changed", kept, "2"), ("deleted", gone, "1")]
        await watched.until(lambda: watched.links == [True, False, True])


async def test_missing_right_is_raised_at_once_and_names_check_and_grant(
    control_plane: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = "hanbae generate rbac --env dev && kubectl apply -k k8s/rbac/dev"
    async with connections.connect(
        "nobody", kubeconfig=control_plane.kubeconfig, grant=grant
    ) as cluster:
        stream = watching.watch(cluster, kinds.SECRET, "services-dev")
        async with asyncio.timeout(5):
            with pytest.raises(errors.Forbidden) as caught:
                await anext(stream)
    facts = caught.value.text.facts
    assert facts["command"] == ("kubectl auth can-i list secrets -n services-dev --context nobody")
    assert "nobody" in facts["message"]
    monkeypatch.setenv("LANGUAGE", "en")
    for language in catalogue.LANGUAGES:
        catalogue.speak(language)
        sentence = catalogue.sentence(caught.value.text)
        assert all(word in sentence for word in ("list", "secrets", "services-dev", grant)), (
            sentence
        )


async def test_breaking_off_closes_the_connection(
    cluster: connections.Cluster, unique: Namer
) -> None:
    label, a = unique("of"), unique("a")
    await put(cluster, label, a, "1")
    stream = watching.watch(cluster, kinds.CONFIGMAP, "default", label_selector=f"of={label}")
    pool = cluster._client._transport._newest._pool  # type: ignore[attr-defined]
    async with aclosing(stream):
        assert (await anext(stream)).type == "added"
        await put(cluster, label, a, "2")
        assert (await anext(stream)).type == "changed"
        assert not all(connection.is_idle() for connection in pool.connections)
    assert all(connection.is_idle() or connection.is_closed() for connection in pool.connections)
