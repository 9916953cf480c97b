"""Overlays built by the real Kustomize: those that build, those that do not, and those that are never run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import trees

from hanbae.checking import findings_of_rules, kustomize_builds, whole_repository
from hanbae.planning import kustomize
from hanbae.policy import loading
from hanbae.repository import services
from hanbae.repository import trees as repository_trees
from hanbae.results import findings
from hanbae.rules import rulebook, views

OVERLAY = "k8s/overlays/dev/kustomization.yaml"
HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: data-dev}\ndata: {a: b}\n"
BUILTIN = """\
transformers:
  - |-
    apiVersion: builtin
    kind: LabelTransformer
    metadata: {name: a}
    labels: {a: b}
    fieldSpecs: [{path: metadata/labels, create: true}]
"""
RULES = tuple(rulebook.rules().values())


def project(tree: Any) -> views.Project:
    policy, places = loading.parse(tree.read("hanbae.yaml"), "hanbae.yaml")
    return views.Project(policy, places, tree, services.of(policy, tree))


def checked(tree: Any) -> list[findings.Finding]:
    """What is found without the services that have a chart."""
    repository = project(tree)
    services = kustomize_builds.without_chart(repository)
    inspection = asyncio.run(whole_repository.inspect(repository, services, RULES))
    return list(findings_of_rules.merged(inspection.findings))


def codes(reported: list[findings.Finding]) -> list[str]:
    return [f"{finding.code} {finding.text.id.rpartition('-')[2]}" for finding in reported]


@pytest.fixture
def edited(shop: trees.MemoryTree) -> Any:
    """The shop with other files; None removes one."""

    def edit(files: dict[str, str | None]) -> trees.MemoryTree:
        contents = dict(shop.contents)
        for path, text in files.items():
            contents.pop(path, None)
            if text is not None:
                contents[path] = text.encode()
        return trees.MemoryTree(contents)

    return edit


def test_what_does_not_build_is_told_in_kustomizes_words(edited: Any) -> None:
    text = HEAD + "resources: [../../base]\npatches: [{path: p.yaml, target: {kind: None}}]\n"
    (finding,) = checked(edited({OVERLAY: text, "k8s/overlays/dev/p.yaml": "{"}))
    assert (finding.code, finding.text.id) == ("KUS001", "rule.kus001-found-broken")
    assert finding.place.file == OVERLAY
    assert "p.yaml" in finding.text.facts["error"]
    assert "hanbae-overlay-" not in finding.text.facts["error"]


@pytest.mark.parametrize("text", ["{", "a: [", "\x00", "- a\n- b\n", "&a [*a, *a]"])
def test_a_kustomization_that_is_none_is_one_finding(edited: Any, text: str) -> None:
    (finding,) = checked(edited({OVERLAY: text}))
    assert finding.code == "KUS001"


@pytest.mark.parametrize(
    ("resource", "variant"),
    [
        ("https://example.com/x.yaml", "remote"),
        ("git::https://example.com/x", "remote"),
        ("github.com/owner/name", "remote"),
        ("git@github.com:owner/name", "remote"),
        ("ssh://git@example.com/x", "remote"),
        ("../../../../etc/passwd", "outside"),
        ("/etc/passwd", "outside"),
        ("nothing.yaml", "missing"),
    ],
)
def test_what_leads_elsewhere_is_never_built(
    edited: Any, monkeypatch: pytest.MonkeyPatch, resource: str, variant: str
) -> None:
    async def never(*_: object) -> tuple[bytes, str]:
        raise AssertionError("it was built")

    monkeypatch.setattr(kustomize, "_run", never)
    monkeypatch.setattr(kustomize, "_OUTPUTS", {})
    tree = edited({OVERLAY: f"{HEAD}resources: ['{resource}']\n"})
    view = project(tree)
    overlay = kustomize_builds.overlays.Overlay("dev", "k8s/overlays/dev")
    built = asyncio.run(kustomize_builds._built(view, overlay))
    assert [refusal.variant for refusal in built.refusals] == [variant]
    assert built.objects == ()


def test_a_base_of_a_base_is_looked_at_too(edited: Any) -> None:
    text = HEAD + "resources: [namespaces.yaml, 'https://example.com/x.yaml']\n"
    findings = checked(edited({"k8s/base/kustomization.yaml": text}))
    assert codes(findings) == ["KUS004 remote"]
    assert str(findings[0].place) == "k8s/base/kustomization.yaml:3:30"


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("generators: [plugin.yaml]\n", ["KUS006 found"]),
        ("transformers: [plugin.yaml]\n", ["KUS006 found"]),
        ("validators: [plugin.yaml]\n", ["KUS006 found"]),
        ("helmChartInflationGenerator: [{chartName: a}]\n", ["KUS006 found"]),
        (BUILTIN, []),
    ],
)
def test_plugins_are_refused_and_kustomizes_own_are_not(
    edited: Any, text: str, hits: list[str]
) -> None:
    plugin = "apiVersion: example.com/v1\nkind: P\nmetadata:\n  name: p\n"
    files = {OVERLAY: f"{HEAD}resources: [a.yaml]\n{text}", "k8s/overlays/dev/a.yaml": CONFIG}
    findings = checked(edited({**files, "k8s/overlays/dev/plugin.yaml": plugin}))
    assert codes(findings) == hits


def test_every_kind_of_file_reaches_the_build(edited: Any) -> None:
    text = HEAD + (
        "namespace: data-dev\n"
        "resources: [a.yaml]\n"
        "components: [part]\n"
        "patches: [{path: patch.yaml}]\n"
        "configMapGenerator: [{name: g, files: [k=texts/t.txt, texts/u.txt], envs: [e.env]}]\n"
        "generatorOptions: {disableNameSuffixHash: true}\n"
    )
    files = {
        OVERLAY: text,
        "k8s/overlays/dev/a.yaml": CONFIG,
        "k8s/overlays/dev/patch.yaml": CONFIG.replace("{a: b}", "{c: d}"),
        "k8s/overlays/dev/part/kustomization.yaml": HEAD.replace(
            "Kustomization", "Component"
        ).replace("v1beta1", "v1alpha1")
        + "resources: [b.yaml]\n",
        "k8s/overlays/dev/part/b.yaml": CONFIG.replace("name: a", "name: b"),
        "k8s/overlays/dev/texts/t.txt": "t",
        "k8s/overlays/dev/texts/u.txt": "u",
        "k8s/overlays/dev/e.env": "E=1\n",
    }
    builds = asyncio.run(kustomize_builds.built(project(edited(files))))
    (dev,) = [overlay for overlay in builds.overlays if overlay.environment == "dev"]
    assert dev.error == ""
    assert {manifest.name: manifest.template for manifest in dev.objects} == {
        "a": "k8s/overlays/dev/a.yaml",
        "b": "k8s/overlays/dev/part/b.yaml",
        "g": OVERLAY,
    }
    by_name = {manifest.name: manifest.data for manifest in dev.objects}
    assert by_name["a"]["data"] == {"a": "b", "c": "d"}
    assert by_name["g"]["data"] == {"k": "t", "u.txt": "u", "E": "1"}
    assert "annotations" not in by_name["a"]["metadata"]


def test_objects_of_overlays_are_held_against_their_schemas(edited: Any) -> None:
    text = CONFIG.replace("data: {a: b}", "data:\n  a: 1")
    files = {OVERLAY: f"{HEAD}resources: [../../base, a.yaml]\n", "k8s/overlays/dev/a.yaml": text}
    findings = [finding for finding in checked(edited(files)) if finding.code == "KUB001"]
    assert [str(finding.place) for finding in findings] == ["k8s/overlays/dev/a.yaml:5"]
    assert findings[0].environments == ("dev",)


SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: proxy
spec:
  selector:
    app: proxy
  ports:
    - port: 80
"""


def test_a_service_without_a_chart_is_checked(edited: Any) -> None:
    folder = "services/proxy/k8s"
    files = {
        f"{folder}/base/kustomization.yaml": f"{HEAD}resources: [service.yaml]\n",
        f"{folder}/base/service.yaml": SERVICE,
        f"{folder}/overlays/dev/kustomization.yaml": (
            f"{HEAD}namespace: services-dev\nresources: [../../base]\n"
        ),
        f"{folder}/overlays/staging/kustomization.yaml": (
            f"{HEAD}namespace: services\nresources: [../../base]\n"
        ),
    }
    findings = checked(edited(files))
    assert [(finding.code, str(finding.place), finding.environments) for finding in findings] == [
        ("KUS003", f"{folder}/base/service.yaml:3", ()),
        ("KUB026", f"{folder}/base/service.yaml:6", ("dev", "staging")),
    ]
    assert findings[1].service == "proxy"


def test_without_kustomize_one_notice_says_so(
    shop: trees.MemoryTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kustomize.program.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kustomize.sys, "executable", str(tmp_path / "python"))
    try:
        (finding,) = checked(shop)
    finally:
        kustomize.program.cache_clear()
    assert (finding.code, finding.severity) == ("KUS001", "notice")
    assert finding.text.id == "rule.kus001-found-unchecked"


def test_a_link_out_of_the_repository_is_not_followed(
    shop: trees.MemoryTree, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text(CONFIG)
    root = tmp_path / "shop"
    for path, data in shop.contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / OVERLAY).write_text(f"{HEAD}resources: [a.yaml]\n")
    (root / "k8s/overlays/dev/a.yaml").symlink_to(secret)
    findings = checked(repository_trees.WorkingTree(root))
    assert [code for code in codes(findings) if code.startswith("KUS")] == ["KUS004 outside"]


def test_environment_of_the_child_is_empty(
    shop: trees.MemoryTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program is replaced by one that tells its environment: what reaches it is what reaches Kustomize."""
    script = tmp_path / "tells"
    script.write_text("#!/bin/sh\n/usr/bin/env >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("CANARY", "canary-5521")
    monkeypatch.setattr(kustomize, "program", lambda: (str(script), "build"))
    monkeypatch.setattr(kustomize, "_OUTPUTS", {})
    findings = checked(shop)
    assert {finding.text.id for finding in findings} == {"rule.kus001-found-broken"}
    for finding in findings:
        assert "canary" not in finding.text.facts["error"]
        assert "HTTPS_PROXY=http://127.0.0.1:9" in finding.text.facts["error"]


def test_an_output_without_end_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "endless"
    script.write_text("#!/bin/sh\nwhile :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n")
    script.chmod(0o755)
    monkeypatch.setattr(kustomize, "_LARGEST", 10_000)
    output, error = asyncio.run(kustomize._run((str(script), "build"), tmp_path, "."))
    assert output == b""
    assert error.startswith("> ")


def test_a_build_without_end_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "waits"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o755)
    monkeypatch.setattr(kustomize, "_TIMEOUT", 0.5)
    assert asyncio.run(kustomize._run((str(script), "build"), tmp_path, ".")) == (b"", "> 0.5 s")


@pytest.fixture(autouse=True)
def _own_outputs() -> Iterator[None]:
    yield
    kustomize._OUTPUTS.clear()
