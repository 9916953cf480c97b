"""A check recalls what it found before, and only while everything that was looked at is the same."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hanbae import errors
from hanbae.actions import check
from hanbae.apis import serving
from hanbae.charts import dependency_cache, pools
from hanbae.checking import inspecting, projects, result_cache
from hanbae.planning import committed_kinds
from hanbae.policy import loading, naming
from hanbae.repository import keeping, trees
from hanbae.results import findings
from hanbae.rules import manifest_names, shared_facts

SHOP = Path(__file__).parents[3] / "examples" / "shop"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("values.yaml", "app"))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    return folder


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> keeping.Cache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "helm"))
    monkeypatch.delenv("HELM_REPOSITORY_CONFIG", raising=False)
    opened = keeping.opened()
    assert opened is not None
    return opened


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The charts that are rendered from now on."""
    charts: list[str] = []
    render = pools.Pool.render

    async def counted(
        self: pools.Pool,
        files: Mapping[str, bytes],
        request: pools.Request,
        *,
        chart: str,
        **more: Any,
    ) -> list[pools.Answer]:
        charts.append(chart)
        return await render(self, files, request, chart=chart, **more)

    monkeypatch.setattr(pools.Pool, "render", counted)
    return charts


async def checked(shop: Path, kept: keeping.Cache | None) -> tuple[findings.Finding, ...]:
    return (await check.check(shop, cache=kept)).findings


async def test_what_has_not_changed_is_not_rendered_and_found_again(
    shop: Path, kept: keeping.Cache, rendered: list[str]
) -> None:
    broken = shop / "services/auth/helm/templates/service.yaml"
    broken.write_text(broken.read_text().replace("kind: Service", "kind: {{ .Values.a.b }}"))
    first = await checked(shop, kept)
    assert first
    assert len(set(rendered)) == 3
    rendered.clear()
    assert await checked(shop, kept) == first
    assert not rendered
    assert await checked(shop, None) == first


@pytest.fixture(params=["", "exclude: [services/libraries]"], ids=["by name", "by folder"])
def odd(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository with a service whose folder's name is no text, and follows from the service's or does not."""
    shop = tmp_path / "odd"
    chart = shop / "services" / os.fsdecode(b"\xff\xfe") / "helm"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 0.1.0\n")
    policy = (SHOP / "hanbae.yaml").read_text()
    (shop / "hanbae.yaml").write_text(
        policy.replace("\nservices:\n", f"\nservices:\n  {request.param}\n")
    )
    git(shop, "init", "-q")
    git(shop, "add", "-A")
    return shop


async def test_a_service_whose_folder_is_no_text_is_looked_at_each_time(
    odd: Path, kept: keeping.Cache
) -> None:
    findings = await checked(odd, kept)
    assert findings
    assert await checked(odd, kept) == findings
    assert await checked(odd, None) == findings


@pytest.mark.parametrize(
    "path",
    [
        "services/auth/helm/values-dev.yaml",
        "services/auth/helm/templates/service.yaml",
        "services/auth/helm/Chart.yaml",
    ],
)
async def test_a_changed_service_is_looked_at_again_and_no_other(
    shop: Path, kept: keeping.Cache, rendered: list[str], path: str
) -> None:
    await checked(shop, kept)
    rendered.clear()
    with (shop / path).open("a") as file:
        file.write("\n# changed\n")
    await checked(shop, kept)
    assert set(rendered) == {"services/auth/helm"}
    (shop / path).write_text((shop / path).read_text().removesuffix("\n# changed\n"))
    rendered.clear()
    await checked(shop, kept)
    assert not rendered or set(rendered) == {"services/auth/helm"}


async def expect_auth_alone(
    shop: Path, kept: keeping.Cache, rendered: list[str], before: tuple[findings.Finding, ...]
) -> None:
    """A change of auth has no other service looked at again."""
    rendered.clear()
    with (shop / "services/auth/helm/values-dev.yaml").open("a") as file:
        file.write("\n# changed\n")
    assert await checked(shop, kept) == before
    assert set(rendered) == {"services/auth/helm"}


async def test_a_finding_in_a_rendered_object_asks_nothing_of_other_services(
    shop: Path, kept: keeping.Cache, rendered: list[str]
) -> None:
    chart = shop / "services/identity/helm/templates/deployment.yaml"
    chart.write_text(chart.read_text().replace("runAsNonRoot: true", "runAsNonRoot: false"))
    before = await checked(shop, kept)
    traced = [finding for finding in before if finding.place.file.endswith("/deployment.yaml")]
    assert {finding.service for finding in traced} == {"identity"}
    await expect_auth_alone(shop, kept, rendered, before)


READS = {
    "a ConfigMap": ("configMapRef", "ConfigMap"),
    "a Secret": ("secretRef", "Secret"),
}


@pytest.mark.parametrize("read", READS)
async def test_a_name_that_the_overlays_make_asks_nothing_of_other_services(
    shop: Path, kept: keeping.Cache, rendered: list[str], read: str
) -> None:
    reference, kind = READS[read]
    values = shop / "services/identity/helm/values-dev.yaml"
    values.write_text(values.read_text().replace('tag: ""', 'tag: "1.0.0"'))
    chart = shop / "services/identity/helm/templates/deployment.yaml"
    source = f"          envFrom: [{{{reference}: {{name: shared}}}}]\n"
    text = chart.read_text()
    head, _, tail = text.partition("          {{- if or .Values.migration.enabled $sealed }}\n")
    chart.write_text(head + source + tail.partition("          {{- end }}\n")[2])
    manifest = shop / "k8s/base/shared.yaml"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: shared}}\n")
    before = await checked(shop, kept)
    await expect_auth_alone(shop, kept, rendered, before)
    rendered.clear()
    manifest.unlink()
    assert await checked(shop, kept) != before
    assert "services/identity/helm" in rendered


async def test_an_application_asks_nothing_of_other_services(
    shop: Path, kept: keeping.Cache, rendered: list[str]
) -> None:
    await checked(shop, kept)
    rendered.clear()
    policy = loading.load(shop / "hanbae.yaml").policy
    name = naming.application(policy, "auth", "dev")
    source = {"repoURL": policy.argocd.repository, "path": "services/auth/helm"}
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {"source": source | {"helm": {"parameters": [{"name": "a", "value": "b"}]}}},
    }
    (shop / "k8s/argocd").mkdir(parents=True, exist_ok=True)
    (shop / "k8s/argocd/own.yaml").write_text(json.dumps(application))
    await checked(shop, kept)
    assert set(rendered) == {"services/auth/helm"}


async def test_another_policy_looks_at_everything_again(
    shop: Path, kept: keeping.Cache, rendered: list[str]
) -> None:
    await checked(shop, kept)
    rendered.clear()
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("ttl: 5m", "ttl: 6m"))
    await checked(shop, kept)
    assert len(set(rendered)) == 3


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: monitors.example.com}
spec:
  group: example.com
  names: {kind: Monitor, plural: monitors}
  scope: Namespaced
  versions: [{name: VERSION, served: true, storage: true}]
"""


async def test_a_definition_in_the_repository_looks_at_everything_again(
    shop: Path, kept: keeping.Cache, rendered: list[str]
) -> None:
    """Every chart may ask for it, whoever brings it."""
    template = shop / "services/identity/helm/templates/gated.yaml"
    has = '{{- if .Capabilities.APIVersions.Has "example.com/v1/Monitor" }}'
    gated = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gated}\n"
    template.write_text(f"{has}\n{gated}{{{{- end }}}}\n")
    definition = shop / "services/auth/helm/crds/monitors.yaml"
    definition.parent.mkdir()
    definition.write_text(CRD.replace("VERSION", "v2"))

    async def assumed() -> int:
        return sum(finding.code == "INP008" for finding in await checked(shop, kept))

    assert await assumed() == 1
    rendered.clear()
    assert await assumed() == 1
    assert not rendered
    definition.write_text(CRD.replace("VERSION", "v1"))
    assert await assumed() == 0
    assert await assumed() == 0
    definition.write_text(CRD.replace("VERSION", "v2"))
    assert await assumed() == 1


def test_what_the_repository_adds_is_not_looked_for_by_each_process(
    shop: Path, kept: keeping.Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(*_: object) -> None:
        raise AssertionError

    result = inspecting.Inspection((projects.as_finding(_FAULT, "auth"),))
    added = dataclasses.replace(projects.project(shop), added={"dev": ("example.com/v1",)})
    monkeypatch.setattr(committed_kinds, "of", looked)
    recording = result_cache.Recording(added)
    assert recording.project.added == added.added
    result_cache.ResultCache(kept, added, ()).keep("auth", recording, result)
    assert result_cache.ResultCache(kept, added, ()).of("auth") == result
    other = dataclasses.replace(added, added={})
    assert result_cache.ResultCache(kept, other, ()).of("auth") is None


def test_what_a_cluster_serves_is_part_of_every_entry(shop: Path, kept: keeping.Cache) -> None:
    result = inspecting.Inspection((projects.as_finding(_FAULT, "auth"),))
    project = projects.project(shop)
    served = [
        dataclasses.replace(project, served={"dev": serving.Cluster("v1.35.4", names)})
        for names in (("v1",), ("v1", "example.com/v1"))
    ]
    result_cache.ResultCache(kept, served[0], ()).keep(
        "auth", result_cache.Recording(served[0]), result
    )
    assert result_cache.ResultCache(kept, served[0], ()).of("auth") == result
    for other in (project, served[1]):
        assert result_cache.ResultCache(kept, other, ()).of("auth") is None


@pytest.mark.parametrize("damage", [b"", b"\x93\x90\x90\x90", b"rubbish"])
async def test_an_entry_of_another_shape_is_as_good_as_none(
    shop: Path, kept: keeping.Cache, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    expected = await checked(shop, None)
    await checked(shop, kept)
    monkeypatch.setattr(keeping.Cache, "get", lambda *_: damage)
    assert await checked(shop, kept) == expected


QUESTIONS = {
    "a file": lambda project: project.tree.read("README.md"),
    "a file that is not there": lambda project: project.tree.read("none.md"),
    "a folder": lambda project: project.tree.files("docs-of-ours"),
    "whether git ignores": lambda project: project.tree.ignored("some.log"),
    "what is computed once": lambda project: project.declared,
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("README.md", {"a file"}),
        ("none.md", {"a file that is not there"}),
        ("docs-of-ours/new.md", {"a folder"}),
        (".gitignore", {"whether git ignores"}),
        ("k8s/argocd/x.yaml", {"what is computed once"}),
    ],
)
def test_a_result_is_recalled_until_an_answer_changes(
    shop: Path, kept: keeping.Cache, question: str, path: str, of: set[str]
) -> None:
    (shop / "README.md").write_text("a")
    result = inspecting.Inspection((projects.as_finding(_FAULT, "auth"),))
    project = projects.project(shop)
    recall = result_cache.ResultCache(kept, project, ())
    recording = result_cache.Recording(project)
    QUESTIONS[question](recording.project)
    recall.keep("auth", recording, result)
    assert _recall(kept, shop).of("auth") == result
    assert _recall(kept, shop).of("personal") is None
    target = shop / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_APPLICATION if path.endswith("yaml") else "*.log\n")
    assert (_recall(kept, shop).of("auth") is None) == (question in of)


@pytest.mark.parametrize("is_fetched", [True, False], ids=["a chart", "an address"])
def test_what_charts_are_brought_during_a_check_is_not_kept_for_what_was_there(
    shop: Path, kept: keeping.Cache, is_fetched: bool, tmp_path: Path
) -> None:
    def bring(version: int) -> None:
        if is_fetched:
            dependency_cache.put("https://charts.example.com", "redis", f"{version}.0.0", b"x")
        else:
            repositories = tmp_path / "helm" / "repositories.yaml"
            repositories.parent.mkdir(exist_ok=True)
            repositories.write_text(f"repositories: [{{name: a, url: 'https://{version}.x'}}]")

    result = inspecting.Inspection((projects.as_finding(_FAULT, "auth"),))
    project = projects.project(shop)
    early, late = (result_cache.ResultCache(kept, project, ()) for _ in range(2))
    assert early.of("auth") is None  # what it looks under is settled
    bring(1)
    for recall in (early, late):
        recall.keep("auth", result_cache.Recording(project), result)
        assert recall.of("auth") is None
        assert _recall(kept, shop).of("auth") is None
    _recall(kept, shop).keep("auth", result_cache.Recording(project), result)
    assert _recall(kept, shop).of("auth") == result
    bring(2)
    assert _recall(kept, shop).of("auth") is None


@pytest.mark.parametrize(
    ("question", "path", "text"),
    [
        ("a file", "README.md", "b"),
        ("a file", "README.md", None),
        ("whether git ignores", ".gitignore", "*.log\n"),
        ("what is computed once", "k8s/argocd/x.yaml", "kind: Application"),
    ],
)
def test_what_is_saved_before_it_is_read_is_not_kept_for_what_was_there(
    shop: Path, kept: keeping.Cache, question: str, path: str, text: str | None
) -> None:
    target = shop / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_APPLICATION)
    recall = _recall(kept, shop)
    recording = result_cache.Recording(recall._project)
    target.unlink()
    if text is not None:
        target.write_text(text)
    try:
        QUESTIONS[question](recording.project)
    except errors.FileFault:
        assert text is None
    recall.keep("auth", recording, inspecting.Inspection())
    assert (_recall(kept, shop).of("auth") is not None) == (text is not None)
    target.write_text(_APPLICATION)
    assert _recall(kept, shop).of("auth") is None


def test_what_is_saved_after_it_was_asked_for_is_not_kept_with_the_answer_before(
    shop: Path, kept: keeping.Cache
) -> None:
    recall = _recall(kept, shop)
    recording = result_cache.Recording(recall._project)
    assert not recording.project.tree.ignored("some.log")
    (shop / ".gitignore").write_text("*.log\n")
    recall.keep("auth", recording, inspecting.Inspection())
    assert _recall(kept, shop).of("auth") is None


async def test_an_editor_that_saves_during_a_check_leaves_no_finding_for_what_was_there(
    shop: Path, kept: keeping.Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = shop / "services/auth/helm/templates/service.yaml"
    before, opened = template.read_text(), projects.opened
    after = before.replace("kind: Service", "kind: {{ .Values.a.b }}")

    def saved(*words: Any, **more: Any) -> Any:
        result = opened(*words, **more)
        template.write_text(after)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(projects, "opened", saved)
        broken = await checked(shop, kept)
    template.write_text(before)
    restored = await checked(shop, kept)
    assert restored == await checked(shop, None)
    assert restored != broken


async def test_files_that_git_converts_are_recalled_as_others_are(
    shop: Path, kept: keeping.Cache, rendered: list[str]
) -> None:
    template = shop / "services/auth/helm/templates/service.yaml"
    template.write_bytes(template.read_bytes().replace(b"\n", b"\r\n"))
    (shop / ".gitattributes").write_text("*.yaml text\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "converted")
    first = await checked(shop, kept)
    rendered.clear()
    assert await checked(shop, kept) == first
    assert not rendered
    template.write_bytes(template.read_bytes().replace(b"\r\n", b"\n"))
    await checked(shop, kept)
    assert set(rendered) == {"services/auth/helm"}


def _recall(kept: keeping.Cache, shop: Path) -> result_cache.ResultCache:
    return result_cache.ResultCache(kept, projects.project(shop), ())


_APPLICATION = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\n"


_FAULT = errors.FileFault("render.failed", error="x")


def test_a_rule_cannot_ask_what_is_not_recorded(shop: Path) -> None:
    """Whatever the tree and the shared facts offer is spelled out by what records it, and nothing else is there."""
    project = projects.project(shop)
    recording = result_cache.Recording(project)
    questions = {name for name in vars(trees.Tree) if not name.startswith("_")}
    assert questions == {
        name for name in vars(result_cache.RecordingTree) if not name.startswith("_")
    }
    offered = {name for name in vars(shared_facts.SharedFacts) if not name.startswith("_")}
    spelled = {name for name in vars(result_cache.RecordingFacts) if not name.startswith("_")}
    assert offered == spelled
    for name in ("root", "prefix"):  # a working tree has them
        assert hasattr(project.tree, name)
        assert not hasattr(recording.project.tree, name)


@pytest.mark.parametrize("name", ["others", "own_kinds", "declared"])
def test_every_fact_that_follows_from_files_is_a_question(shop: Path, name: str) -> None:
    project = projects.project(shop)
    recording = result_cache.Recording(project)
    assert getattr(recording.project, name) == getattr(project, name)
    assert list(recording.questions) == [("", "@", name)]


@pytest.mark.parametrize("name", ["manifest_names", "overlay_secrets", "written_sources"])
def test_every_fact_of_what_is_shared_is_a_question(shop: Path, name: str) -> None:
    project = projects.project(shop)
    recording = result_cache.Recording(project)
    assert getattr(recording.project.shared, name) == getattr(project.shared, name)
    assert list(recording.questions) == [("", "@", name)]


ODD = {
    "a list of a number": "kind: List\nitems: 5 # ConfigMap\n",
    "a list in itself": "&a {kind: List, items: [*a, {kind: ConfigMap, metadata: {name: own}}]}\n",
    "a name that is a list": "kind: Secret\nmetadata: {name: [ConfigMap]}\n",
    "metadata that is a word": "kind: ConfigMap\nmetadata: Secret\n",
    "a generator that is a word": "configMapGenerator: Secret\n",
}


@pytest.mark.parametrize("name", ODD)
def test_names_of_manifests_of_any_shape_are_read(shop: Path, name: str) -> None:
    before = projects.project(shop).shared
    (shop / "k8s/odd.yaml").write_text(ODD[name])
    after = projects.project(shop).shared
    own = set(after.manifest_names["ConfigMap"]) - set(before.manifest_names["ConfigMap"])
    assert own <= {"own"}
    assert after.overlay_secrets == before.overlay_secrets


def test_a_fact_that_cannot_be_worked_out_is_left_to_the_rule_that_asks(
    shop: Path, kept: keeping.Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = result_cache.Recording(projects.project(shop))
    assert recording.project.shared.manifest_names
    recall = _recall(kept, shop)
    recall.keep("auth", recording, inspecting.Inspection(()))
    assert _recall(kept, shop).of("auth") is not None

    def broken(*_: object) -> object:
        raise TypeError

    monkeypatch.setattr(manifest_names, "by_kind", broken)
    assert _recall(kept, shop).of("auth") is None


def test_every_fact_that_is_recorded_has_a_state(shop: Path, kept: keeping.Cache) -> None:
    recording = result_cache.Recording(projects.project(shop))
    facts = recording.project.shared
    for name in vars(shared_facts.SharedFacts):
        if isinstance(vars(result_cache.RecordingFacts).get(name), property):
            getattr(facts, name)
    facts.bounds("dev")
    facts.written("auth", "dev")
    assert len(recording.questions) >= 8
    assert _recall(kept, shop)._answers(list(recording.questions)) is not None


def test_a_fact_of_an_environment_is_asked_for_that_one_alone(shop: Path) -> None:
    project = projects.project(shop)
    recording = result_cache.Recording(project)
    assert recording.project.bounds("dev") == project.bounds("dev")
    written = recording.project.shared.written("auth", "dev")
    assert written == project.shared.written("auth", "dev")
    assert list(recording.questions) == [("", "@", "bounds:dev"), ("", "@", "written:dev/auth")]


def test_a_branch_that_is_fetched_later_makes_a_result_anew(
    shop: Path, kept: keeping.Cache
) -> None:
    result = inspecting.Inspection((projects.as_finding(_FAULT, "auth"),))
    project = projects.project(shop)
    assert not project.branches
    result_cache.ResultCache(kept, project, ()).keep(
        "auth", result_cache.Recording(project), result
    )
    assert _recall(kept, shop).of("auth") == result
    git(shop, "remote", "add", "origin", "https://git.example.com/shop.git")
    git(shop, "update-ref", "refs/remotes/origin/develop", "HEAD")
    assert projects.project(shop).branches
    assert _recall(kept, shop).of("auth") is None


def test_looking_for_a_fetched_chart_changes_nothing_that_results_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a day it says of the files when they were used last."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dependency_cache.put("https://charts.example.com", "redis", "1.0.0", b"x")
    before = dependency_cache.stamp()
    for file in (file for file in tmp_path.rglob("*") if file.is_file()):
        os.utime(file, (0, 0))
    assert dependency_cache.find("https://charts.example.com", "redis", "1.0.0") == b"x"
    assert dependency_cache.stamp() == before
    dependency_cache.put("https://charts.example.com", "redis", "1.0.0", b"y")
    assert dependency_cache.stamp() != before
