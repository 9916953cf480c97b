"""``./dev sbom``: everything that the wheel needs and that is in the renderer, each with its version and licence."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from tools.sbom import generate

from hanbae.charts import pools

ROOT = Path(__file__).parents[2]


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """The document, of the one program that every installation has."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    uv = shutil.which("uv") or next(map(str, base.glob("hanbae/uv-*/bin/uv")), None)
    assert uv is not None, "./dev obtains uv"
    monkeypatch.setenv("PATH", f"{Path(uv).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(generate, "_go_programs", lambda: [pools.program()])
    target = tmp_path / "sbom.json"
    assert generate.main([str(target)]) == 0
    written: dict[str, object] = json.loads(target.read_text())
    return written


def test_it_names_every_dependency_and_what_the_renderer_is_made_of(
    document: dict[str, object],
) -> None:
    assert document["bomFormat"] == "CycloneDX"
    assert re.fullmatch(r"1\.\d", str(document["specVersion"]))
    components = document["components"]
    assert isinstance(components, list)
    by_name = {component["name"]: component for component in components}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        name = re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace(".", "-")
        if "python_version" not in requirement:
            assert by_name[name]["version"]
            assert by_name[name]["licenses"]
    renderer = by_name[pools.program().name]
    modules = {module["name"]: module for module in renderer["components"]}
    helm = modules["helm.sh/helm/v4"]
    assert helm["version"] == f"v{pools.HELM}"
    assert helm["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    for module in modules.values():
        assert module["version"].startswith("v")
        assert module["purl"] == f"pkg:golang/{module['name']}@{module['version']}"


def test_every_reference_in_it_is_to_one_component(document: dict[str, object]) -> None:
    text = json.dumps(document)
    references = re.findall(r'"bom-ref": "([^"]+)"', text)
    assert len(references) == len(set(references))
