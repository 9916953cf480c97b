"""Workers: one chart that ends its worker costs one fault, and nothing is left behind or carried over."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import gc
import os
import resource
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import polling

from hanbae import errors
from hanbae.charts import pools, rendering

CHART = {"Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n"}
MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: '%s'}\n"
LOOP = "{{ range until 40000 }}{{ range until 40000 }}{{ end }}{{ end }}"
REQUEST = pools.Request([pools.Release("r", "n")])


def chart(template: str, **more: bytes) -> dict[str, bytes]:
    return CHART | {"templates/a.yaml": MAP.replace(b"%s", template.encode())} | more


async def value(pool: pools.Pool, template: str, limit: float = 20.0) -> str:
    (answer,) = await pool.render(chart(template), REQUEST, chart="a", limit=limit)
    assert answer.error is None
    return str(answer.documents[0][1]["data"]["value"])


async def outcome(pool: pools.Pool, files: dict[str, bytes]) -> str:
    """Which fault a chart is."""
    try:
        (answer,) = await pool.render(files, REQUEST, chart="a", limit=2)
        rendering.rendered(answer, chart="a")
    except errors.FileFault as fault:
        return fault.text.id
    return ""


_others: set[int] = set()
"""Renderers of a pool that tests of another module share in this process."""


@pytest.fixture(autouse=True)
def without_others() -> Iterator[None]:
    _others.update(workers())
    yield
    _others.clear()


def workers() -> set[int]:
    """Processes of this one that render, for the test that runs."""
    numbers = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            if words[0].endswith(b"/hanbae-renderer") and int(parent) == os.getpid():
                numbers.add(int(path.name))
    return numbers - _others


def spent(worker: int) -> int:
    """Ticks of the processor that a worker has taken."""
    words = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def states(worker: int) -> set[str]:
    """The states of a worker's threads, in the kernel's letters."""
    threads = Path(f"/proc/{worker}/task").glob("*/stat")
    return {thread.read_text().rpartition(")")[2].split()[0] for thread in threads}


def unread(worker: int) -> int:
    """Bytes that a worker was sent and has not read."""
    size = array.array("i", [0])
    pipe = os.open(f"/proc/{worker}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(pipe, termios.FIONREAD, size)
    finally:
        os.close(pipe)  # as long as it is open, the pipe has somebody who reads
    return size[0]


@pytest.mark.parametrize(
    ("sent", "fault"),
    [(signal.SIGKILL, "render.died"), (signal.SIGXCPU, "render.took-too-long")],
)
async def test_a_worker_that_ends_while_it_renders_is_one_fault_and_the_next_chart_gets_another(
    sent: signal.Signals, fault: str
) -> None:
    async with pools.opened(1) as pool:
        assert await value(pool, "one") == "one"
        (worker,) = workers()
        before = spent(worker)
        two = asyncio.create_task(value(pool, LOOP))
        await polling.reached(lambda: spent(worker) > before + 5, within=20)
        os.kill(worker, sent)
        with pytest.raises(errors.FileFault) as caught:
            await two
        assert caught.value.text.id == fault
        assert await value(pool, "three") == "three"
    assert not workers()


async def test_a_worker_that_ended_while_it_waited_is_no_fault_of_the_next_chart() -> None:
    async with pools.opened(2) as pool:
        for _ in range(2):
            await pool.warm()
        for worker in workers():
            os.kill(worker, signal.SIGKILL)
        await polling.reached(lambda: not workers(), within=20)
        assert await value(pool, "one") == "one"
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)  # perhaps it is not noticed yet
        assert await value(pool, "x" * 500_000) == "x" * 500_000
    assert not workers()


@pytest.mark.parametrize("size", [1, 500_000], ids=["in one write", "in several"])
async def test_a_worker_that_ends_before_it_reads_a_chart_is_no_fault_of_the_chart(
    size: int,
) -> None:
    """A pipe takes a chart as long as a thread of the worker has not ended; here none ends before it has taken it."""
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, facts: complaints.append(facts))
    async with pools.opened(1) as pool:
        assert await value(pool, "one") == "one"
        (worker,) = workers()
        os.kill(worker, signal.SIGSTOP)
        await polling.reached(lambda: states(worker) == {"T"}, within=20)
        two = asyncio.create_task(value(pool, "x" * size))
        await polling.reached(lambda: unread(worker), within=20)
        os.kill(worker, signal.SIGKILL)
        assert await two == "x" * size
    assert not workers()
    gc.collect()  # asyncio complains where what nobody has asked for goes
    assert not complaints


async def test_each_release_may_take_the_time_of_the_processor_that_one_may_take() -> None:
    loop = "{{ range until (int .Values.count) }}{{ range until 1000 }}{{ end }}{{ end }}"
    files = chart(loop)
    releases = [pools.Release("r", "n", (b"count: %d" % number,)) for number in (60_000, 1)]
    async with pools.opened(1) as pool:
        assert await value(pool, "one") == "one"
        (worker,) = workers()
        before, _ = resource.prlimit(worker, resource.RLIMIT_CPU)
        await pool.render(files, pools.Request(releases), chart="a")
        assert resource.prlimit(worker, resource.RLIMIT_CPU)[0] > before


@pytest.mark.parametrize(
    "template",
    [
        "{{ range until 2000000000 }}x{{ end }}",
        '{{ tpl .Values.again . }}{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}',
        '{{ repeat 2000000000 "x" | repeat 10 }}',
    ],
)
async def test_what_has_no_end_costs_one_fault_and_the_pool_goes_on(template: str) -> None:
    files = chart(template) | {"values.yaml": b"again: '{{ tpl .Values.again . }}'\n"}
    async with pools.opened(1) as pool:
        assert await outcome(pool, files) in {
            "render.died",
            "render.took-too-long",
            "render.failed",
        }
        assert await value(pool, "after") == "after"


async def test_faults_of_some_do_not_touch_the_others() -> None:
    async def outcome(pool: pools.Pool, number: int) -> str:
        endless = number % 5 == 0
        template = "{{ range until 2000000000 }}{{ end }}" if endless else str(number)
        try:
            return await value(pool, template, limit=2 if endless else 20)
        except errors.FileFault as fault:
            return fault.text.id

    async with pools.opened(2) as pool:
        outcomes = await asyncio.gather(*(outcome(pool, number) for number in range(10)))
    assert [answer for index, answer in enumerate(outcomes) if index % 5] == [
        "1",
        "2",
        "3",
        "4",
        "6",
        "7",
        "8",
        "9",
    ]
    assert {outcomes[0], outcomes[5]} <= {"render.died", "render.took-too-long"}


async def test_a_huge_answer_and_many_files_pass() -> None:
    async with pools.opened(1) as pool:
        text = await value(pool, '{{ repeat 3000000 "x" }}')
        assert len(text) == 3_000_000
        many = {f"files/{number}.txt": b"x" for number in range(5000)}
        wide = chart('{{ len (.Files.Glob "files/*") }}') | many
        (answer,) = await pool.render(wide, REQUEST, chart="a")
        assert answer.documents[0][1]["data"]["value"] == "5000"


async def test_what_a_chart_prints_or_keeps_does_not_reach_the_next() -> None:
    warned = CHART | {
        "Chart.yaml": CHART["Chart.yaml"] + b"deprecated: true\n",
        "values.yaml": b"a: {b: 1}\nsub: text\n",
        "templates/a.yaml": MAP.replace(b"%s", b'{{ $_ := set .Values.a "leak" 1 }}'),
        "templates/b.yaml": b'{{ $_ := set .Chart "Leak" 1 }}',
    }
    dumped = chart("{{ toJson .Values | b64enc }}") | {"values.yaml": b"a: {b: 1}\n"}
    async with pools.opened(1) as pool:
        (alone,) = await pool.render(dumped, REQUEST, chart="a")
        await pool.render(warned, REQUEST, chart="a")
        (after,) = await pool.render(dumped, REQUEST, chart="a")
        assert after == alone
        twice = pools.Request([pools.Release("r", "n", (b"a: {c: 2}",)), pools.Release("r", "n")])
        answers = await pool.render(dumped, twice, chart="a")
        assert answers[1] == alone


async def test_what_a_chart_keeps_does_not_reach_its_next_release() -> None:
    """A chart is loaded once for all its releases: what one does to its values must stay its own."""
    keeping = CHART | {
        "values.yaml": b"a: {b: {c: 1}, d: [{e: 1}]}\n",
        "templates/a.yaml": MAP.replace(
            b"%s", b"{{ toJson (list .Values .Chart .Release) | b64enc }}"
        )
        + b'{{ $_ := set .Values.a.b "leak" 1 }}{{ $_ := set (first .Values.a.d) "leak" 1 }}'
        b'{{ $_ := unset .Values.a "b" }}{{ $_ := set .Values "leak" 1 }}',
        "templates/b.yaml": b'{{ $_ := set .Chart "Leak" 1 }}',
    }
    schema = keeping | {"values.schema.json": b'{"type": "object"}'}
    release = pools.Release("r", "n", (b"a: {x: 1}",))
    for files in (keeping, schema):
        async with pools.opened(1) as pool:
            (alone,) = await pool.render(files, pools.Request([release]), chart="a")
            assert alone.error is None
            assert await pool.render(files, pools.Request([release] * 3), chart="a") == [alone] * 3


async def test_dependency_that_one_release_disables_is_there_for_the_next() -> None:
    condition = b"dependencies: [{name: d, version: 1.0.0, condition: d.enabled}]\n"
    files = CHART | {
        "Chart.yaml": CHART["Chart.yaml"] + condition,
        "charts/d/Chart.yaml": b"apiVersion: v2\nname: d\nversion: 1.0.0\n",
        "charts/d/templates/a.yaml": MAP.replace(b"%s", b"x"),
    }
    values = (b"d: {enabled: false}", b"", b"d: {enabled: true}")
    request = pools.Request([pools.Release("r", "n", (content,)) for content in values])
    async with pools.opened(1) as pool:
        answers = await pool.render(files, request, chart="a")
    assert [len(answer.documents) for answer in answers] == [0, 1, 1]


async def test_nothing_is_left_when_the_one_who_waits_is_cancelled() -> None:
    async def endless() -> None:
        # gather does not wait for the others
        async with pools.opened(2) as pool, asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(value(pool, LOOP))

    task = asyncio.create_task(endless())
    await polling.reached(lambda: len(workers()) == 2, within=20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not workers()


RENDERS = """
import asyncio, signal
# A shell that runs the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from hanbae.charts import pools, rendering
async def go():
    async with pools.opened(2) as pool:
        loop = b"{{ range until 40000 }}{{ range until 40000 }}{{ end }}{{ end }}"
        files = {"Chart.yaml": b"apiVersion: v2\\nname: a\\nversion: 1.0.0\\n", "templates/a.yaml": loop}
        request = pools.Request([pools.Release("r", "n")])
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(pool.render(files, request, chart="a"))
asyncio.run(go())
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_a_run_ends_its_workers_end_with_it(sent: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", RENDERS], stderr=subprocess.DEVNULL) as run:
        polling.until(lambda: len(children(run.pid)) == 2, within=20)
        started = children(run.pid)
        run.send_signal(sent)
        run.wait(20)
    polling.until(
        lambda: not any(Path(f"/proc/{pid}/fd").exists() and alive(pid) for pid in started),
        within=10,
    )


def children(parent: int) -> set[int]:
    """The workers of a process."""
    pids = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_child = (path / "stat").read_text().rpartition(")")[2].split()[1] == str(parent)
            # The program runs rather than the copy of Python that starts it.
            if is_child and (path / "exe").readlink().name == "hanbae-renderer":
                pids.add(int(path.name))
    return pids


def alive(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[
            0
        ] != "Z"
    except OSError:
        return False
