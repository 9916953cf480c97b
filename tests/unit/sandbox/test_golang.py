from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.charts import compiling
from hanbae.sandbox import golang, pins


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("go1.27.3", (1, 27, 3)),
        ("go1.27", (1, 27, 0)),
        ("go1.28rc1", (1, 28, 0)),
        ("devel go1.29-abc", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_versions_compare_as_numbers(version: str, number: tuple[int, int, int]) -> None:
    assert golang.number(version) == number


def test_without_go_on_the_path_the_wheels_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    go = golang.find()
    version = subprocess.run([go.path, "version"], capture_output=True, text=True, check=True)
    assert go.version in version.stdout.split()


def test_a_go_on_the_path_is_preferred_when_it_is_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    wheels = golang.find()
    # Go finds its files from where its program really is, so a link is a working Go.
    (tmp_path / "go").symlink_to(wheels.path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert golang.find() == golang.Go(tmp_path / "go", wheels.version)


def test_the_wheels_own_launcher_script_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "go"
    script.write_text("#!/bin/sh\necho go9.99.9\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    assert golang.find().version != "go9.99.9"


def test_a_program_that_is_not_go_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy("/bin/true", tmp_path / "go")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert golang.find().path != tmp_path / "go"


def test_no_go_at_all_names_the_extra_that_brings_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(pins, "GO_WHEEL", "no-such-distribution-of-go")
    with pytest.raises(errors.Lacking) as caught:
        golang.find()
    assert caught.value.text.facts == {"needed": "1.27.0", "extra": "hanbae[sandbox]"}


def test_a_wheel_that_is_too_old_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "GO_NEEDED", (1, 999, 0))
    with pytest.raises(errors.Lacking):
        golang.find()


@pytest.mark.parametrize("environment", [golang.environment, compiling.environment])
@pytest.mark.parametrize("written", [False, True], ids=["variable", "go env -w"])
def test_a_users_settings_do_not_leak_into_the_build_except_of_downloads(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: Callable[[], dict[str, str]],
    written: bool,
) -> None:
    settings = {"GOOS": "windows", "GOARCH": "386", "GOFLAGS": "-tags=odd"}
    settings |= {"GOTOOLCHAIN": "auto", "GOPROXY": "https://proxy.example"}
    settings |= {
        "GOEXPERIMENT": "arenas",
        "GOAMD64": "v3",
        "GOARM64": "v9.0",
        "GOFIPS140": "latest",
    }
    settings |= {"GO111MODULE": "off"}
    if written:
        (tmp_path / "env").write_text("".join(f"{key}={settings[key]}\n" for key in settings))
        monkeypatch.setenv("GOENV", str(tmp_path / "env"))
    else:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("GOROOT", "/elsewhere")
    answer = subprocess.run(
        [golang.find().path, "env", "GOHOSTARCH", *settings, "CGO_ENABLED"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    host, *used = answer.stdout.splitlines()
    assert used == [
        *("linux", host, "-trimpath", "local", "https://proxy.example"),
        *(",", "v1", "v8.0", "off", "on", "0"),
    ]
    assert "GOROOT" not in environment()
