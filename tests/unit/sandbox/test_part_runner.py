from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from hanbae import errors, wording
from hanbae.sandbox import (
    binaries,
    folders,
    identities,
    namespaces,
    part_runner,
    passwords,
    sites,
)


class Recorded:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bool]] = []

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None: ...

    def finished(self, component: str, seconds: float, *, cached: bool) -> None:
        self.lines.append((component, cached))

    def note(self, text: wording.Text) -> None: ...


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> part_runner.Starter:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = folders.of("demo")
    folder.make()
    return part_runner.Starter(
        sites.Site(
            folder,
            identities.derive(folder.root, ()),
            binaries.Binaries(tmp_path),
            cast("passwords.Passwords", None),  # nothing here fails with words to redact
            namespaces.Namespaces(folder),
        )
    )


def part(name: str, *needs: str, work: Callable[[], bool] = lambda: True) -> part_runner.Part:
    return part_runner.Part(name, needs, work)


def test_each_part_begins_after_what_it_needs_and_is_told_of(starter: part_runner.Starter) -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[], bool]:
        def work() -> bool:
            order.append(name)
            return name != "b"

        return work

    progress = Recorded()
    parts = [
        part("c", "b", work=note("c")),
        part("b", "a", work=note("b")),
        part("a", work=note("a")),
    ]
    starter.run(parts, progress)
    assert order == ["a", "b", "c"]
    assert progress.lines == [("a", False), ("b", True), ("c", False)]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([part("a"), part("b", "aa")], "b needs aa, which is not among the parts"),
        ([part("a", "a")], "cycle"),
        ([part("a", "b"), part("b", "a"), part("c")], "cycle"),
    ],
)
def test_part_that_can_never_begin_is_an_error_before_any_begins(
    starter: part_runner.Starter, parts: list[part_runner.Part], message: str
) -> None:
    begun: list[str] = []
    recording = [
        part_runner.Part(bare.name, bare.needs, lambda: bool(begun.append("begun")))
        for bare in parts
    ]
    with pytest.raises(ValueError, match=message):
        starter.run(recording, Recorded())
    assert begun == []


def test_parts_that_need_nothing_of_each_other_run_at_once(starter: part_runner.Starter) -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet() -> bool:
        meeting.wait()
        return True

    progress = Recorded()
    starter.run([part(name, work=meet) for name in "abc"], progress)
    assert {name for name, _ in progress.lines} == set("abc")


def test_the_first_failure_is_raised_and_ends_the_waiting_of_the_others(
    starter: part_runner.Starter,
) -> None:
    def fail() -> bool:
        raise errors.Failed("sandbox.component-failed", component="b")

    ran: list[str] = []
    parts = [
        part("waits", work=lambda: starter.until("waits", lambda: "never", deadline_s=600)),
        part("b", work=fail),
        part("after", "b", work=lambda: bool(ran.append("after"))),
    ]
    with pytest.raises(errors.Failed, match="component='b'"):
        starter.run(parts, Recorded())
    assert ran == []


def test_what_does_not_become_ready_is_named_with_its_reason(starter: part_runner.Starter) -> None:
    with pytest.raises(errors.Failed, match="0 of 1 ready") as caught:
        starter.until("coredns", lambda: "0 of 1 ready", deadline_s=0.1)
    assert caught.value.text.facts["component"] == "coredns"


def test_what_is_ready_already_was_not_waited_for(starter: part_runner.Starter) -> None:
    assert not starter.until("coredns", lambda: "", deadline_s=1)


def test_what_becomes_ready_was_waited_for(starter: part_runner.Starter) -> None:
    answers = iter(["not yet", "not yet", "", ""])
    assert starter.until("coredns", lambda: next(answers), deadline_s=10)


def test_every_thread_enters_first(starter: part_runner.Starter) -> None:
    thread = threading.local()
    entered: list[bool] = []

    def enter() -> None:
        thread.entered = True

    def work() -> bool:
        entered.append(getattr(thread, "entered", False))
        return True

    starter.run([part(name, work=work) for name in "abc"], Recorded(), enter=enter)
    assert entered == [True] * 3


ETCD = """\
{"level":"info","msg":"starting"}
{"level":"fatal","msg":"listen tcp 127.0.0.1:2379: bind: address already in use"}
{"level":"info","msg":"bye"}
"""
KUBELET = "I1123 10:00:00 flags\nE1123 10:00:01 run.go:72] command failed\nI1123 10:00:02 end"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (ETCD, "address already in use"),
        (KUBELET, "command failed"),
        ("one\ntwo\n\nthree\n", "one\ntwo\nthree"),
        ("", ""),
    ],
    ids=["json", "klog", "nothing alarming", "empty"],
)
def test_the_useful_lines_of_a_log_are_those_that_say_what_is_wrong(
    log: str, expected: str
) -> None:
    useful = part_runner.useful(log)
    assert expected in useful
    assert "starting" not in useful
    assert "flags" not in useful


def test_a_log_that_screams_all_the_time_is_cut_to_its_end() -> None:
    useful = part_runner.useful("\n".join(f"panic: {number}" for number in range(1000)))
    assert useful.splitlines()[-1] == "panic: 999"
    assert len(useful.splitlines()) <= 10
