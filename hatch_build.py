"""What the package holds beside its sources: compiled message catalogues, and the program that renders charts."""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PackageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles both before the files of a wheel are gathered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile.

        An editable installation has a link to the renderer; a wheel brings it, and so is one for a platform.
        """
        package = Path(self.root) / "src" / "hanbae"
        compile_catalogues(package / "locale")
        if self.target_name != "wheel":
            return
        compiling = _module(package / "charts" / "compiling.py")
        program = compiling.obtain()
        if version == "editable":
            compiling.link(program)
        else:
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["force_include"][str(program)] = f"hanbae/charts/renderer/bin/{program.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"


def _module(source: Path) -> Any:
    """A file of the package that needs nothing of it: the package cannot be imported yet."""
    spec = importlib.util.spec_from_file_location(source.stem, source)
    assert spec is not None  # noqa: S101  it is a file of Python
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compile_catalogues(folder: Path) -> None:
    """Compile every catalogue under a folder; each file appears whole or not at all."""
    for source in folder.rglob("*.po"):
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parent.parent.name)
        target = source.with_suffix(".mo")
        unfinished = target.with_suffix(".mo.new")
        with unfinished.open("wb") as file:
            write_mo(file, catalogue)
        unfinished.replace(target)
