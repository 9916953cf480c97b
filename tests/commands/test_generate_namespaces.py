"""``hanbae.yaml`` edited later: what of ``k8s`` follows from it, what is left alone, and what is said meanwhile."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.support import peers

from hanbae.checking import kustomize_builds
from hanbae.cli import main
from hanbae.policy import loading, naming
from hanbae.repository import trees
from hanbae.rules import rulebook, views
from hanbae.sandbox import pins

KUSTOMIZE = next(component for component in pins.COMPONENTS if component.name == "kustomize")
URL = "https://git.example.com/shop.git"
BASE = "k8s/base"
NAMESPACES = f"{BASE}/namespaces.yaml"
LIMITS = f"{BASE}/limits.yaml"
CODES = {"KUS003", "KUS005", "KUS007", "ENV015"}
"""The rules that find what ``hanbae generate namespaces`` mends."""

Edit = Callable[[str], str]


def hanbae(root: Path, *words: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), *words])


def output(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    hanbae(root, *words, "--output", "json")
    return json.loads(capsys.readouterr().out)


def codes(root: Path) -> set[str]:
    """The codes of what is found in the k8s folder, or said about it."""
    loaded = loading.load(root / "hanbae.yaml")
    tree = trees.WorkingTree(root)
    project = views.Project(loaded.policy, loaded.places, tree, ("auth",))
    project = asyncio.run(kustomize_builds.built(project))
    rules = rulebook.rules()
    return {code for code in CODES if list(rules[code].check(project))}


def replace(root: Path, path: str, *pairs: tuple[str, str]) -> None:
    text = (root / path).read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    (root / path).write_text(text)


def built(root: Path, overlay: str) -> list[dict[str, Any]]:
    command = [peers.program(KUSTOMIZE), "build", str(root / overlay)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(YAML(typ="safe").load_all(answer.stdout))


def expect_policy(root: Path) -> None:
    """Every overlay of the policy builds its namespaces under their names, and limits those with services."""
    policy = loading.load(root / "hanbae.yaml").policy
    bases = {policy.services.namespace, *policy.namespaces}
    limited = {policy.services.namespace} | {n for n, s in policy.namespaces.items() if s.services}
    for name, settings in policy.environments.items():
        if not settings.overlay:
            continue
        objects = built(root, settings.overlay)
        names = [o["metadata"]["name"] for o in objects if o["kind"] == "Namespace"]
        assert sorted(names) == sorted(naming.suffixed(policy, base, name) for base in bases)
        for kind in ("ResourceQuota", "LimitRange"):
            places = {o["metadata"]["namespace"] for o in objects if o["kind"] == kind}
            assert places == {naming.suffixed(policy, base, name) for base in limited}
        labels = {o["metadata"]["labels"]["hanbae.dev/environment"] for o in objects}
        assert labels == {name}
        for manifest in objects:
            if manifest["kind"] == "Namespace":
                base = manifest["metadata"]["name"].removesuffix(settings.namespace_suffix)
                space = policy.namespaces.get(base)
                enforced = manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
                assert enforced == (space.pod_security if space else "restricted")


@pytest.fixture(params=["one-cluster", "clusters"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository as ``hanbae init`` lays it, with a service."""
    options = ["--one-cluster"] if request.param == "one-cluster" else []
    assert hanbae(tmp_path, "init", "--repository", URL, *options) == 0
    assert hanbae(tmp_path, "new", "service", "auth", "--image", "registry.example.com/auth") == 0
    return tmp_path


def services_namespace(text: str) -> str:
    return text.replace("  namespace: services\n", "  namespace: bakery\n")


def namespace_renamed(text: str) -> str:
    text = services_namespace(text)
    return text.replace("  services:\n    purpose: [auth", "  bakery:\n    purpose: [auth")


def namespace_added(text: str) -> str:
    return text.replace("  observability:\n", "  batch: {services: [auth]}\n  observability:\n")


def namespace_removed(text: str) -> str:
    start = text.index("  data:\n")
    return text[:start] + text[text.index("  observability:\n") :]


def pod_security(text: str) -> str:
    return text.replace("pod_security: baseline", "pod_security: privileged", 1)


def purpose(text: str) -> str:
    return text.replace("[PostgreSQL, Valkey, ClickHouse]", "[PostgreSQL]")


def environment_renamed(text: str) -> str:
    return text.replace("  staging:\n", "  qa:\n").replace("overlays/staging", "overlays/qa")


def environment_added(text: str) -> str:
    start, end = text.index("  staging:\n"), text.index("  production:\n")
    added = text[start:end].replace("staging", "qa").replace("branch: release", "branch: qa")
    return text[:end] + added + text[end:]


def environment_removed(text: str) -> str:
    start, end = text.index("  staging:\n"), text.index("  production:\n")
    return text[:start] + text[end:]


def overlay_moved(text: str) -> str:
    return text.replace("k8s/overlays/dev", "deploy/cluster/dev")


def suffix_changed(text: str) -> str:
    if "namespace_suffix: -dev" in text:
        return text.replace("namespace_suffix: -dev", "namespace_suffix: -develop")
    return text.replace("    control: dev\n", "    control: dev\n    namespace_suffix: -dev\n")


def suffixes_removed(text: str) -> str:
    for name in ("dev", "staging", "production"):
        text = text.replace(f"    namespace_suffix: -{name}\n", f"    control: {name}\n")
    return text


EDITS: tuple[Edit, ...] = (
    services_namespace,
    namespace_renamed,
    namespace_added,
    namespace_removed,
    pod_security,
    purpose,
    environment_renamed,
    environment_added,
    environment_removed,
    overlay_moved,
    suffix_changed,
)


@pytest.mark.parametrize("edit", EDITS)
def test_each_later_edit_is_noticed_and_mended(root: Path, edit: Edit) -> None:
    assert codes(root) == set()
    assert hanbae(root, "generate", "namespaces", "--check") == 0
    policy = root / "hanbae.yaml"
    edited = edit(policy.read_text())
    assert edited != policy.read_text()
    policy.write_text(edited)
    files = {path: path.read_bytes() for path in root.rglob("*.yaml")}
    assert codes(root), "the edit goes unnoticed"
    assert hanbae(root, "generate", "namespaces", "--check") == 1
    assert {path: path.read_bytes() for path in root.rglob("*.yaml")} == files
    assert hanbae(root, "generate", "namespaces") == 0
    assert hanbae(root, "generate", "namespaces", "--check") == 0
    assert codes(root) == set()
    expect_policy(root)


def test_suffixes_go_with_the_clusters_becoming_several(tmp_path: Path) -> None:
    hanbae(tmp_path, "init", "--repository", URL, "--one-cluster")
    policy = tmp_path / "hanbae.yaml"
    policy.write_text(suffixes_removed(policy.read_text()))
    assert "KUS003" in codes(tmp_path)
    assert hanbae(tmp_path, "generate", "namespaces") == 0
    assert "patches" not in (tmp_path / "k8s/overlays/dev/kustomization.yaml").read_text()
    expect_policy(tmp_path)


def test_what_a_team_has_written_itself_stays(root: Path) -> None:
    limits = '    # A team of twenty.\n    pods: "700"\n'
    replace(root, LIMITS, ('    pods: "200"\n', limits))
    replace(root, NAMESPACES, ("  labels:\n", "  labels:\n    istio-injection: enabled\n"))
    overlay = "k8s/overlays/dev/kustomization.yaml"
    replace(root, overlay, ("  - ../../base\n", "  - ../../base\n  - gateway.yaml  # ours\n"))
    own = '  - target: {kind: ResourceQuota}\n    patch: \'[{"op": "remove", "path": "/spec/hard/pods"}]\'\n'
    text = (root / overlay).read_text()
    (root / overlay).write_text(text + (own if "patches:" in text else f"patches:\n{own}"))
    (root / "k8s/overlays/dev/gateway.yaml").write_text("{}\n")
    policy = root / "hanbae.yaml"
    policy.write_text(namespace_renamed(policy.read_text()))
    assert hanbae(root, "generate", "namespaces") == 0
    assert limits in (root / LIMITS).read_text()
    assert "namespace: bakery" in (root / LIMITS).read_text()
    assert "namespace: services" not in (root / LIMITS).read_text()
    # Those of the namespaces that are still the policy's; the one that was renamed is a new one.
    assert (root / NAMESPACES).read_text().count("istio-injection: enabled\n") == 3
    assert "  - gateway.yaml  # ours\n" in (root / overlay).read_text()
    assert own in (root / overlay).read_text()


def test_left_overlay_with_additions_is_named_and_kept(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = root / "k8s/overlays/staging/kustomization.yaml"
    replace(root, "k8s/overlays/staging/kustomization.yaml", ("base\n", "base\n  - own.yaml\n"))
    text = overlay.read_text()
    policy = root / "hanbae.yaml"
    policy.write_text(environment_renamed(policy.read_text()))
    files = output(root, capsys, "generate", "namespaces")["files"]
    outcome = {file["path"]: file["outcome"] for file in files}
    assert outcome["k8s/overlays/qa/kustomization.yaml"] == "created"
    assert outcome["k8s/overlays/staging/kustomization.yaml"] == "kept"
    assert overlay.read_text() == text
    capsys.readouterr()
    assert hanbae(root, "generate", "namespaces") == 1
    out, err = capsys.readouterr()
    assert (
        "kept       k8s/overlays/staging/kustomization.yaml\n  - This overlay is for staging" in out
    )
    assert "@@" not in out
    assert "1 file is left over" in err
    assert hanbae(root, "generate", "namespaces", "--check") == 1


def test_limits_of_a_team_that_limits_otherwise_are_not_asked_for(root: Path) -> None:
    (root / LIMITS).unlink()
    replace(root, f"{BASE}/kustomization.yaml", ("  - limits.yaml\n", ""))
    policy = root / "hanbae.yaml"
    policy.write_text(namespace_added(policy.read_text()))
    assert hanbae(root, "generate", "namespaces") == 0
    assert not (root / LIMITS).exists()
    assert codes(root) == set()
    assert hanbae(root, "init") == 0
    assert not (root / LIMITS).exists()


def test_one_environment_can_be_brought_in_line_alone(root: Path) -> None:
    policy = root / "hanbae.yaml"
    policy.write_text(
        environment_added(
            environment_renamed(policy.read_text())
            .replace("  qa:\n", "  staging:\n")
            .replace("overlays/qa", "overlays/staging")
        )
    )
    assert hanbae(root, "generate", "namespaces", "--env", "dev", "--check") == 0
    assert hanbae(root, "generate", "namespaces", "--env", "qa") == 0
    assert (root / "k8s/overlays/qa/kustomization.yaml").is_file()
    assert hanbae(root, "generate", "namespaces", "--env", "nowhere") == 2


@pytest.mark.parametrize("content", ["a: [", "- list\n", "patches: {a: 1}\n"])
def test_overlay_that_cannot_be_read_is_named_and_nothing_is_written(
    root: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = root / "k8s/overlays/dev/kustomization.yaml"
    start = "resources: [../../base]\nlabels: [{pairs: {hanbae.dev/environment: dev}}]\n"
    overlay.write_text(content if content != "patches: {a: 1}\n" else start + content)
    policy = root / "hanbae.yaml"
    policy.write_text(namespace_added(policy.read_text()))
    before = {path: path.read_bytes() for path in root.rglob("*.yaml")}
    assert hanbae(root, "generate", "namespaces") == 2
    assert "k8s/overlays/dev/kustomization.yaml" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in root.rglob("*.yaml")} == before


def test_repository_that_hanbae_did_not_lay_is_left_in_peace(root: Path) -> None:
    shutil.rmtree(root / "k8s")
    policy = root / "hanbae.yaml"
    lines = policy.read_text().splitlines(keepends=True)
    policy.write_text("".join(line for line in lines if "overlay:" not in line))
    assert codes(root) == set()
    own = root / "k8s/base/namespaces.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: elsewhere}\n")
    assert codes(root) == set()


def test_second_init_explains_and_names_the_command(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hanbae(root, "generate", "argocd")
    policy = root / "hanbae.yaml"
    policy.write_text(services_namespace(policy.read_text()))
    before = {path: path.read_bytes() for path in root.rglob("*.yaml")}
    capsys.readouterr()
    assert hanbae(root, "init") == 0
    out, err = capsys.readouterr()
    assert {path: path.read_bytes() for path in root.rglob("*.yaml")} == before
    assert "unchanged  hanbae.yaml" in out
    assert "  - hanbae.yaml has the namespace bakery, which is not created here." in out
    assert "@@" not in out
    assert "differs    k8s/argocd/dev/project.yaml" in out
    assert "`hanbae generate namespaces`" in err
    assert "`hanbae generate argocd`" in err
    hanbae(root, "generate", "namespaces")
    hanbae(root, "generate", "argocd")
    capsys.readouterr()
    assert hanbae(root, "init") == 0
    assert "k8s fits it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--repository", "https://git.example.com/other.git"], "argocd.repository: " + URL),
        (["--language", "ko"], "language: en"),
    ],
)
def test_second_init_refuses_options_that_the_policy_contradicts(
    root: Path, options: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (root / "hanbae.yaml").read_bytes()
    assert hanbae(root, "init", *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: hanbae.yaml:")
    assert expected in error
    assert (root / "hanbae.yaml").read_bytes() == before
    assert hanbae(root, "init", "--repository", URL, "--language", "en") == 0


def test_second_init_cannot_join_clusters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hanbae(tmp_path, "init", "--repository", URL)
    assert hanbae(tmp_path, "init", "--one-cluster") == 2
    assert "namespace_suffix" in capsys.readouterr().err
