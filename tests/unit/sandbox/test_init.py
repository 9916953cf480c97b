"""Process 1's protocol, spoken with the real program; what it makes of namespaces needs root: see tests/e2e."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support import polling

from hanbae import errors
from hanbae.sandbox import folders, init, namespaces

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "GREETING": "hello"}


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    folder = folders.Folder(tmp_path / "demo")
    folder.root.mkdir()
    with folder.life.open("a") as life:
        fcntl.flock(life, fcntl.LOCK_EX)
        lock = life.fileno()
        command = [sys.executable, "-I", "-S", init.__file__, str(folder.root), str(lock)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(lock,))
    with process:
        yield process
        process.kill()


@pytest.fixture
def living(tmp_path: Path, starter: subprocess.Popen[bytes]) -> namespaces.Namespaces:
    living = namespaces.Namespaces(folders.Folder(tmp_path / "demo"))
    polling.until(living.alive, within=20)
    return living


def shell(living: namespaces.Namespaces, log: Path, script: str) -> namespaces.Process:
    command = ["/bin/sh", "-c", script]
    return living.start("sample", command, ENVIRONMENT, log, mark="one")


def test_it_is_known_by_the_process_id_that_the_kernel_tells(
    living: namespaces.Namespaces, starter: subprocess.Popen[bytes]
) -> None:
    assert living.pid == starter.pid


def test_an_inside_that_cannot_be_made_is_told_instead_of_dying(
    living: namespaces.Namespaces,
) -> None:
    polling.until(lambda: bool(living.ask({"do": "status"})["fault"]), within=20)
    answer = living.ask({"do": "status"})
    assert "inside.json" in answer["fault"]
    assert not answer["ready"]


def test_a_started_process_has_only_the_environment_that_it_is_given(
    living: namespaces.Namespaces, tmp_path: Path
) -> None:
    shell(living, tmp_path / "log", "env; exit 3")
    polling.until(lambda: not living.processes()["sample"].running, within=20)
    ended = living.processes()["sample"]
    assert ended.code == 3
    assert "GREETING=hello" in ended.words()
    assert "HOME=" not in ended.words()


def test_the_words_of_an_earlier_run_are_not_taken_for_this_ones(
    living: namespaces.Namespaces, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text("old words\n")
    shell(living, tmp_path / "log", "echo new words")
    polling.until(lambda: not living.processes()["sample"].running, within=20)
    assert living.processes()["sample"].words() == "new words\n"
    assert (tmp_path / "log").read_text() == "old words\nnew words\n"


def test_when_a_process_was_started_is_told_by_a_clock_that_nobody_sets(
    living: namespaces.Namespaces, tmp_path: Path
) -> None:
    before, today = time.monotonic(), time.time()
    process = shell(living, tmp_path / "log", "exit 0")
    assert before <= process.order <= time.monotonic()
    assert today - 1 <= process.started <= time.time() + 1  # and its date is one of today


def test_a_running_process_is_not_started_twice(
    living: namespaces.Namespaces, tmp_path: Path
) -> None:
    first = shell(living, tmp_path / "log", "exec sleep 60")
    assert shell(living, tmp_path / "log", "exec sleep 60").pid == first.pid


def test_stopping_waits_for_the_end(living: namespaces.Namespaces, tmp_path: Path) -> None:
    shell(living, tmp_path / "log", "exec sleep 60")
    living.stop("sample")
    assert living.processes()["sample"].code == -15


def test_a_process_that_does_not_heed_is_killed(
    living: namespaces.Namespaces, tmp_path: Path
) -> None:
    shell(living, tmp_path / "log", "trap '' TERM; echo deaf; while :; do sleep 60; done")
    polling.until(lambda: "deaf" in (tmp_path / "log").read_text(), within=20)
    living.stop("sample", patience_s=0.3)
    assert not living.processes()["sample"].running


def test_a_program_that_is_not_there_is_an_error_of_the_request(
    living: namespaces.Namespaces, tmp_path: Path
) -> None:
    with pytest.raises(errors.Failed, match="FileNotFoundError"):
        living.start("sample", ["/nowhere"], ENVIRONMENT, tmp_path / "log", mark="")
    assert living.alive()


def test_nonsense_does_not_end_it(living: namespaces.Namespaces) -> None:
    for request in ({"do": "dance", "name": "x"}, {"do": "start"}, {}):
        with pytest.raises(errors.Failed):
            living.ask(request)
    assert living.alive()


def test_it_ends_when_its_starter_does_before_it_was_let_go(
    living: namespaces.Namespaces, starter: subprocess.Popen[bytes]
) -> None:
    assert living.alive()
    assert starter.stdin is not None
    starter.stdin.close()
    assert starter.wait(20) == 1
    assert not living.alive()


def test_let_go_it_lives_on_without_its_starter(
    living: namespaces.Namespaces, starter: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert starter.stdin is not None
    starter.stdin.write(b"go\n")
    starter.stdin.close()
    shell(living, tmp_path / "log", "true")  # a round trip: it has read its standard input by then
    polling.until(lambda: not living.processes()["sample"].running, within=20)
    assert starter.poll() is None
    living.kill()
    assert starter.wait(20) == -9


def test_without_a_process_there_is_nothing_alive_and_killing_is_no_error(tmp_path: Path) -> None:
    absent = namespaces.Namespaces(folders.Folder(tmp_path))
    assert not absent.alive()
    absent.kill()
    with pytest.raises(errors.Unreachable):
        absent.ask({"do": "status"})


def test_a_socket_file_that_a_dead_one_left_is_not_taken_for_life(
    living: namespaces.Namespaces, starter: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert living.alive()
    starter.kill()
    starter.wait(20)
    assert (tmp_path / "demo" / "control").exists()
    assert not living.alive()


def test_one_that_will_end_with_its_starter_is_not_taken_for_a_living_one(
    living: namespaces.Namespaces, starter: subprocess.Popen[bytes]
) -> None:
    assert living.alive()
    assert starter.stdin is not None
    starter.stdin.close()  # what the kernel does when the starter is killed
    assert not living.settle()
    assert starter.wait(20) == 1


def test_one_that_cannot_be_reached_yet_is_waited_for(tmp_path: Path) -> None:
    folder = folders.Folder(tmp_path / "demo")
    folder.root.mkdir()
    with folder.life.open("a") as life:
        fcntl.flock(life, fcntl.LOCK_EX)
        waits = ["/bin/sh", "-c", "read go"]
        process = subprocess.Popen(waits, stdin=subprocess.PIPE, pass_fds=(life.fileno(),))
    with process, ThreadPoolExecutor() as workers:
        answer = workers.submit(namespaces.Namespaces(folder).settle)
        with pytest.raises(TimeoutError):
            answer.result(0.3)
        process.communicate(b"\n")
        assert not answer.result(20)


def test_one_that_was_let_go_lives(
    living: namespaces.Namespaces, starter: subprocess.Popen[bytes]
) -> None:
    assert starter.stdin is not None
    starter.stdin.write(b"go\n")
    starter.stdin.close()
    assert living.settle()


def test_its_children_do_not_keep_the_lock_that_says_that_it_lives(
    living: namespaces.Namespaces, starter: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    child = shell(living, tmp_path / "log", "exec sleep 60")
    starter.kill()
    starter.wait(20)
    assert not living.settle()
    os.kill(child.pid, 9)
