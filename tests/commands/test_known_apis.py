"""What ``hanbae.yaml`` and the repository say of a cluster's API versions is what ``check`` and ``render`` go by."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import layouts

from hanbae.actions import new_service
from hanbae.cli import main

Run = Callable[..., tuple[int, str, str]]
CHART = "services/auth/helm"
GATED = """\
{{- if .Capabilities.APIVersions.Has "example.com/v1/Monitor" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: gated}
{{- end }}
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: monitors.example.com}
spec:
  group: example.com
  names: {kind: Monitor, plural: monitors}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
"""


@pytest.fixture(params=layouts.LAYOUTS)
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A clone with a service that has one object more where the cluster has a kind."""
    layouts.begin(tmp_path, request.param)
    new_service.new_service(tmp_path, "auth")
    (tmp_path / CHART / "templates/gated.yaml").write_text(GATED)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.fixture
def run(shop: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        subprocess.run(["git", "-C", str(shop), "add", "-A"], check=True)
        capsys.readouterr()
        code = main.run(["--lang", lang, "-C", str(shop), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def assumed(run: Run) -> set[str]:
    """The environments of which ``check`` says that nobody knows whether they have the kind."""
    _, out, _ = run("check", "--no-cache", "--output", "json")
    findings = [item for item in json.loads(out)["findings"] if item["code"] == "INP008"]
    return {name for finding in findings for name in finding["environments"]}


def having(run: Run) -> set[str]:
    """The environments for which ``render`` has the object."""
    _, out, _ = run("render", "--output", "json")
    return {
        release["environment"]
        for release in json.loads(out)["releases"]
        if "gated" in {item["metadata"]["name"] for item in release["objects"]}
    }


def in_dev(shop: Path, line: str) -> int:
    """Write a line into the settings of dev; its number."""
    path = shop / "hanbae.yaml"
    lines = path.read_text().split("\n")
    place = next(i for i, text in enumerate(lines) if text.strip() == "branch: develop")
    lines.insert(place + 1, f"    {line}")
    path.write_text("\n".join(lines))
    return place + 2


def test_the_list_of_an_environment_answers_for_it_alone(shop: Path, run: Run) -> None:
    assert assumed(run) == {"dev", "staging", "production"}
    assert having(run) == set()
    in_dev(shop, "api_versions: [example.com/v1/Monitor]")
    assert assumed(run) == {"staging", "production"}
    assert having(run) == {"dev"}


def test_a_definition_answers_where_the_repository_brings_it(shop: Path, run: Run) -> None:
    (shop / CHART / "crds").mkdir()
    definition = shop / CHART / "crds/monitors.yaml"
    definition.write_text(CRD)
    assert assumed(run) == set()
    assert having(run) == {"dev", "staging", "production"}
    definition.rename(shop / "k8s/overlays/dev/monitors.yaml")
    assert assumed(run) == {"dev", "staging", "production"}, "no kustomization has it"
    overlay = shop / "k8s/overlays/dev/kustomization.yaml"
    text = overlay.read_text()
    assert text.count("resources:\n") == 1
    overlay.write_text(text.replace("resources:\n", "resources:\n  - monitors.yaml\n"))
    assert assumed(run) == {"staging", "production"}
    assert having(run) == {"dev"}


def test_what_is_no_api_version_is_refused_at_its_line(shop: Path, run: Run) -> None:
    line = in_dev(shop, "api_versions: [example.com/v1, example.com/Monitor]")
    for lang in ("en", "ko"):
        code, _, err = run("check", lang=lang)
        assert code == 2
        assert f"hanbae.yaml:{line}" in err
        assert "environments.dev.api_versions[1]: example.com/Monitor " in " ".join(err.split())
        assert "monitoring.coreos.com/v1/ServiceMonitor" in err
