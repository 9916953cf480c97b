from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from tests.support import polling

from hanbae import errors
from hanbae.charts import compiling
from hanbae.sandbox import building, golang, pins, service_images

PAUSE = next(component for component in pins.COMPONENTS if component.name == "pause")
GO = golang.Go(Path("/nonexistent/go"), "go1.27.3")


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder of components of our own, with one that is like pause."""
    folder = tmp_path / "modules" / "tiny"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module tiny\n\ngo 1.25.0\n")
    (folder / "main.go").write_text(
        'package main\n\nvar version = "?"\n\nfunc main() { print(version) }\n'
    )
    return folder


TINY = pins.Component(
    "tiny", "2", (pins.Program("tiny-program"),), 1, variables=(("main.version", "v2"),)
)


def test_the_key_depends_on_sources_flags_and_go_but_not_on_the_estimate(modules: Path) -> None:
    key = building.digest(TINY, GO, modules.parent)
    assert building.digest(dataclasses.replace(TINY, seconds=99), GO, modules.parent) == key
    others = [
        building.digest(dataclasses.replace(TINY, variables=()), GO, modules.parent),
        building.digest(dataclasses.replace(TINY, tags=("no_x",)), GO, modules.parent),
        building.digest(TINY, dataclasses.replace(GO, version="go1.27.4"), modules.parent),
    ]
    for name in ("main.go", "go.mod", "go.sum"):
        with (modules / name).open("a") as file:
            file.write("\n// changed\n")
        others.append(building.digest(TINY, GO, modules.parent))
    assert len({key, *others}) == 7


def test_a_real_build_makes_a_static_program_with_its_version(
    modules: Path, tmp_path: Path
) -> None:
    into = tmp_path / "into"
    into.mkdir()
    building.build(TINY, golang.find(), into, tmp_path / "log", modules.parent)
    program = into / "bin" / "tiny-program"
    ran = subprocess.run([program], capture_output=True, text=True, check=True)
    assert ran.stderr == "v2"
    assert b"/ld-linux" not in program.read_bytes()
    assert str(tmp_path).encode() not in program.read_bytes()


def test_the_pause_program_ends_at_the_signal_that_kubernetes_sends(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    building.build(PAUSE, golang.find(), into, tmp_path / "log")
    # The child of the shell becomes an orphan of the program that takes the shell's place. Go's runtime catches every
    # signal long before the program does: that it reaps is what shows that it has begun.
    process = subprocess.Popen(["sh", "-c", 'true & exec "$0"', into / "bin" / "pause"])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def reaps() -> bool:
        if Path(f"/proc/{process.pid}/exe").resolve().name != "pause":
            return False
        process.send_signal(signal.SIGCHLD)
        return not children.read_text()

    polling.until(reaps, within=20)
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0


def test_modules_are_downloaded_before_anything_is_built(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "proxy" / "example.com" / "dep" / "@v"
    served.mkdir(parents=True)
    (served / "list").write_text("v1.0.0\n")
    (served / "v1.0.0.info").write_text('{"Version": "v1.0.0"}')
    (served / "v1.0.0.mod").write_text("module example.com/dep\n")
    with zipfile.ZipFile(served / "v1.0.0.zip", "w") as archive:
        archive.writestr("example.com/dep@v1.0.0/go.mod", "module example.com/dep\n")
        archive.writestr("example.com/dep@v1.0.0/dep.go", "package dep\n")
    (modules / "dep.go").write_text('package main\n\nimport _ "example.com/dep"\n')
    monkeypatch.setenv("GOPROXY", f"file://{tmp_path / 'proxy'}")
    monkeypatch.setenv("GONOSUMDB", "*")
    go = golang.find()
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "pinning"))
    command = [go.path, "get", "example.com/dep@v1.0.0"]
    subprocess.run(command, cwd=modules, env=golang.environment(), check=True)
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "cache"))
    with building.fetching(TINY, go, modules.parent):
        pass
    assert (tmp_path / "cache" / "example.com" / "dep@v1.0.0" / "dep.go").is_file()


def test_a_download_ends_with_what_it_was_beside(modules: Path, tmp_path: Path) -> None:
    sign = tmp_path / "pid"
    hanging = tmp_path / "go"
    hanging.write_text(f"#!/bin/sh\necho $$ > {sign}.new && mv {sign}.new {sign}\nexec sleep 600\n")
    hanging.chmod(0o755)
    fetching = building.fetching(TINY, golang.Go(hanging, "go1.27.3"), modules.parent)

    def interrupted() -> None:
        with fetching:
            polling.until(sign.exists, within=30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not Path(f"/proc/{sign.read_text().strip()}").exists()


def test_a_failing_build_tells_the_component_the_cause_and_the_log(
    modules: Path, tmp_path: Path
) -> None:
    (modules / "main.go").write_text("package main\n\nfunc main() { undefinedThing() }\n")
    (tmp_path / "into").mkdir()
    with pytest.raises(errors.Failed) as caught:
        building.build(TINY, golang.find(), tmp_path / "into", tmp_path / "log", modules.parent)
    facts = caught.value.text.facts
    assert facts["component"] == "tiny"
    assert "undefined: undefinedThing" in facts["lines"]
    assert Path(facts["log"]).read_text().count("undefinedThing") == 1


def test_a_build_never_changes_the_pins(modules: Path, tmp_path: Path) -> None:
    (modules / "main.go").write_text(
        'package main\n\nimport _ "sigs.k8s.io/yaml"\n\nfunc main() {}\n'
    )
    (tmp_path / "into").mkdir()
    before = {path.name: path.read_bytes() for path in modules.iterdir()}
    with pytest.raises(errors.Failed):
        building.build(TINY, golang.find(), tmp_path / "into", tmp_path / "log", modules.parent)
    assert {path.name: path.read_bytes() for path in modules.iterdir()} == before


def test_useful_lines_are_the_last_that_are_not_downloads() -> None:
    output = "go: downloading example.com/x v1\n\n" + "\n".join(f"line {n}" for n in range(30))
    assert building.useful(output).splitlines() == [f"line {n}" for n in range(15, 30)]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_build_goes_on_when_hanbae_is_ended(ending: signal.Signals, tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import os, pathlib, signal, sys
        # A shell's background job ignores SIGINT, and so would this child of a test run in one.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from hanbae.sandbox import building
        building.run(["sleep", "600"], pathlib.Path("/"), os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT))
        """
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")],
        stderr=subprocess.DEVNULL,
    )
    polling.until(
        lambda: [line for line in children(builder.pid) if command(line) == ["sleep", "600"]],
        within=20,
    )
    (child,) = children(builder.pid)
    builder.send_signal(ending)
    assert builder.wait(20) != 0
    polling.until(lambda: not alive(child), within=20)


def children(pid: int) -> list[int]:
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def status(pid: int, field: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split()[1]
    raise AssertionError(field)


def alive(pid: int) -> bool:
    try:
        return status(pid, "State") not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_is_built_shares_one_compiled_standard_library() -> None:
    commands = [building._flags(TINY), list(service_images._FLAGS), list(compiling._FLAGS)]
    compilers = [[flag for flag in flags if not flag.startswith("-ldflags=")] for flags in commands]
    assert compilers == [list(golang.FLAGS)] * 3
