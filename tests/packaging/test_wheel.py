"""The package that people install, not the tree that we work in: ``pip install .`` and the main job's first steps.

The sources are copied without what git ignores, so that nothing which an earlier build has left can stand in for what
this build should have made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = Path("src/hanbae")
EXAMPLE = Path("examples/shop")

pytestmark = pytest.mark.timeout(600)  # the build's own requirements may have to be downloaded


def uv() -> str:
    """The uv that ./dev runs: of PATH, or the one that it has put into the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hanbae"
    programs = [shutil.which("uv"), *map(str, sorted(cache.glob("uv-*/bin/uv")))]
    return next(path for path in reversed(programs) if path)


def sources(folder: Path) -> list[Path]:
    """The files below a folder that git has or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


@dataclass(frozen=True)
class Installed:
    """hanbae in an environment of its own."""

    environment: Path
    site: Path

    def run(self, *arguments: str, directory: Path) -> str:
        """What the installed command writes to stdout, where no sources are near."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HANBAE_", "PYTHON", "LANG", "LC_"))
        }
        ended = subprocess.run(
            [self.environment / "bin" / "hanbae", *arguments],
            cwd=directory,
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    checkout, environment = folder / "checkout", folder / "venv"
    for path in sources(Path()):
        target = checkout / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target, follow_symlinks=False)
    command = [uv(), "venv", "--quiet", "--seed", "--python", sys.executable, str(environment)]
    subprocess.run(command, check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = environment / "lib" / version / "site-packages"
    # The locked dependencies are in the environment of the tests; pip finds them satisfied.
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "hanbae" not in path.name:
            (dependencies / path.name).symlink_to(path)
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    ended = subprocess.run(
        ["pip", "install", "."],
        cwd=checkout,
        env=os.environ
        | {
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Installed(environment, site)


def test_pip_installs_every_file_of_the_package(installed: Installed) -> None:
    missing = [
        str(path)
        for path in sources(PACKAGE)
        if not (installed.site / "hanbae" / path.relative_to(PACKAGE)).is_file()
    ]
    assert missing == []


def test_pip_installs_the_example_where_the_demo_looks_for_it(installed: Installed) -> None:
    shop = installed.site / "hanbae" / "sandbox" / "shop"
    missing = [
        str(path) for path in sources(EXAMPLE) if not (shop / path.relative_to(EXAMPLE)).is_file()
    ]
    assert missing == []
    script = "from hanbae.sandbox import demo_repository as d; print(d.example())"
    ended = subprocess.run(
        [installed.environment / "bin" / "python", "-I", "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(ended.stdout.strip()) == shop


@pytest.mark.parametrize("language", ["en", "ko"])
def test_catalogues_are_compiled(installed: Installed, language: str) -> None:
    folder = installed.site / "hanbae" / "locale" / language / "LC_MESSAGES"
    assert (folder / "hanbae.mo").stat().st_size > 10_000


def test_nothing_but_hanbae_is_installed(installed: Installed) -> None:
    ours = {path.name for path in installed.site.iterdir() if "hanbae" in path.name}
    assert {name.split("-")[0] for name in ours} == {"hanbae"}
    assert not [path for path in ("tests", "docs", "bench") if (installed.site / path).exists()]


def test_version_is_that_of_the_package(installed: Installed, tmp_path: Path) -> None:
    (metadata,) = installed.site.glob("hanbae-*.dist-info")
    version = metadata.name.removeprefix("hanbae-").removesuffix(".dist-info")
    assert installed.run("--version", directory=tmp_path) == f"hanbae {version}\n"


def test_help_is_korean_for_a_korean(installed: Installed, tmp_path: Path) -> None:
    shown = installed.run("--lang", "ko", "--help", directory=tmp_path)
    assert shown.startswith("사용법: hanbae")
    assert "서비스를 환경에 배포하고" in shown


def test_first_steps_of_the_main_job(installed: Installed, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    remote = "https://git.example.com/shop.git"
    installed.run("init", "--one-cluster", "--repository", remote, directory=tmp_path)
    installed.run(
        *("new", "service", "auth", "--image", "registry.example.com/shop/auth"),
        directory=tmp_path,
    )
    installed.run("generate", "argocd", directory=tmp_path)
    job = tmp_path / "services/auth/helm/templates/migration-job.yaml"
    assert "argocd.argoproj.io/hook: Sync" in job.read_text()
    assert remote in (tmp_path / "k8s/argocd/dev/applicationset.yaml").read_text()
