"""``check`` looks at the rights below ``k8s/rbac`` as they are committed, and at folders that are no charts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae.checking import projects
from hanbae.cli import main
from hanbae.rules import rulebook, running

URL = "https://git.example.com/shop.git"
BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: helper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
  - {kind: ServiceAccount, name: hanbae-deployer, namespace: hanbae-services-dev}
"""


def hits(root: Path, code: str) -> list[tuple[str, str]]:
    """Variant and place of what a rule over the repository finds."""
    results = running.over_project(projects.project(root), [rulebook.rules()[code]])
    return [(result.hit.variant, str(result.hit.place)) for result in results]


def new_repository(root: Path, *options: str) -> None:
    def run(*arguments: str) -> None:
        assert main.run(["--lang", "en", "-C", str(root), *arguments]) == 0

    subprocess.run(["git", "init", "-q", str(root)], check=True)
    run("init", "--repository", URL, *options)
    run("new", "service", "auth")
    run("new", "service", "identity")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with rights, made once: to generate them takes longer than what most tests look for."""
    root = tmp_path_factory.mktemp("generated")
    new_repository(root, "--one-cluster")
    assert main.run(["-C", str(root), "generate", "rbac", "--group", "ops team"]) == 0
    return root


@pytest.fixture
def shop(generated: Path, tmp_path: Path) -> Path:
    """A test's own copy."""
    shutil.copytree(generated, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("options", [(), ("--one-cluster",)])
def test_generated_rights_are_clean(tmp_path: Path, options: tuple[str, ...]) -> None:
    new_repository(tmp_path, *options)
    assert hits(tmp_path, "ENV017") == []
    assert main.run(["-C", str(tmp_path), "generate", "rbac", "--group", "ops"]) == 0
    assert hits(tmp_path, "ENV017") == []


def test_a_hub_s_generated_rights_are_clean(tmp_path: Path) -> None:
    new_repository(tmp_path)
    policy = tmp_path / "hanbae.yaml"
    text = policy.read_text()
    assert "    control: " in text
    lines = []
    for line in text.splitlines():
        lines.append(line)
        if line.startswith("    control: "):
            lines.append(f"    workload: pods-{len(lines)}")
    policy.write_text("\n".join(lines) + "\n")
    assert main.run(["-C", str(tmp_path), "generate", "rbac"]) == 0
    assert list((tmp_path / "k8s/rbac").glob("*/workload/roles.yaml"))
    assert hits(tmp_path, "ENV017") == []


@pytest.mark.parametrize("engine", ["argocd", "helm"])
def test_rights_of_either_engine_are_clean_until_the_engine_changes(
    tmp_path: Path, engine: str
) -> None:
    new_repository(tmp_path, "--one-cluster")
    policy, plain = tmp_path / "hanbae.yaml", "  dev:\n    platform: kubernetes\n"
    text = policy.read_text()
    assert plain in text
    texts = {"argocd": text, "helm": text.replace(plain, f"{plain}    engine: helm\n")}
    policy.write_text(texts.pop(engine))
    assert main.run(["-C", str(tmp_path), "generate", "rbac"]) == 0
    assert hits(tmp_path, "ENV017") == []
    policy.write_text(texts.popitem()[1])
    assert {variant for variant, _ in hits(tmp_path, "ENV017")} >= {"missing", "other"}


def edited(name: str, edit: Callable[[str], str]) -> Callable[[Path], None]:
    def attack(folder: Path) -> None:
        path = folder / name
        before = path.read_text()
        path.write_text(edit(before))
        assert path.read_text() != before

    return attack


def test_the_same_file_in_other_words_is_clean(shop: Path) -> None:
    edited("kustomization.yaml", lambda text: text.replace("  - roles.", "  - ./roles."))(
        shop / "k8s/rbac/dev"
    )
    assert hits(shop, "ENV017") == []


def first_verbs(text: str) -> str:
    head, _, rest = text.partition("verbs:")
    items = rest.split("\n")
    end = next(index for index, line in enumerate(items) if index and "- " not in line)
    return "\n".join([f"{head}verbs: ['*']", *items[end:]])


def unapplied(folder: Path) -> None:
    (folder / "admission.yaml").rename(folder / "policies.yaml")
    (folder / "admission.yaml").write_text("# as before\n")


ATTACKS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "all verbs": (edited("roles.yaml", first_verbs), {"wildcard", "differs"}),
    "one more verb": (
        edited("roles.yaml", lambda text: text.replace("      - get\n", "      - get\n      - delete\n", 1)),
        {"differs"},
    ),
    "no admission policies": (lambda folder: (folder / "admission.yaml").unlink(), {"missing"}),
    "policies that are not applied": (
        edited("kustomization.yaml", lambda text: text.replace("  - admission.yaml\n", "")),
        {"differs"},
    ),
    "policies that only warn": (
        edited("admission.yaml", lambda text: text.replace("- Deny", "- Warn", 1)),
        {"differs"},
    ),
    "a policy that fails open": (
        edited("admission.yaml", lambda text: text.replace("failurePolicy: Fail", "failurePolicy: Ignore", 1)),
        {"differs"},
    ),
    "one more binding": (lambda folder: (folder / "extra.yaml").write_text(BINDING) and None, {"other"}),
    "a binding for everybody": (
        edited("roles.yaml", lambda text: text.replace("name: ops team", "name: system:authenticated")),
        {"group", "differs"},
    ),
    **{
        f"what is elsewhere: {entry}": (
            edited("kustomization.yaml", lambda text, entry=entry: f"{text}  - {entry}\n"),
            {"differs"},
        )
        for entry in (
            *("https://example.com/admin.yaml", "../../../docs/admin.yaml", "link/../roles.yaml"),
            *("extra.json", "folder", "[]"),
        )
    },
    "a patch": (
        edited("kustomization.yaml", lambda text: text + "patches: [{path: x.yaml}]\n"),
        {"differs"},
    ),
    "a kustomization that is too large to be looked at": (
        edited("kustomization.yaml", lambda text: f"{text}patches: [{{path: x.yaml}}]\n{'#' * 2**20}\n"),
        {"differs"},
    ),
    "resources that are merged": (
        edited("kustomization.yaml", lambda text: text + "<<: {resources: [x.yaml]}\n"),
        {"differs"},
    ),
    "a second kustomization": (
        edited("kustomization.yaml", lambda text: f"resources: []\n---\n{text}"),
        {"differs"},
    ),
    "policies in a file that is not applied": (unapplied, {"missing"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_changed_rights_are_found(shop: Path, name: str) -> None:
    attack, variants = ATTACKS[name]
    attack(shop / "k8s/rbac/dev")
    results = hits(shop, "ENV017")
    assert {variant for variant, _ in results} == variants
    assert all(place.startswith("k8s/rbac/dev") for _, place in results)


def test_check_fails_on_them(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "k8s/rbac/dev/admission.yaml").unlink()
    assert main.run(["--lang", "en", "-C", str(shop), "check", "--no-cache"]) == 1
    assert "ENV017" in capsys.readouterr().out


def test_new_service_needs_them_generated_again(shop: Path) -> None:
    assert main.run(["-C", str(shop), "new", "service", "orders"]) == 0
    assert {variant for variant, _ in hits(shop, "ENV017")} <= {"differs", "missing"}
    assert hits(shop, "ENV017")


def test_folder_without_chart_is_found(shop: Path) -> None:
    assert hits(shop, "LAY015") == []
    folder = shop / "services/reports/helm"
    folder.mkdir(parents=True)
    (folder / "pod.yaml").write_text("kind: Pod\n")
    assert hits(shop, "LAY015") == [("", "services/reports/helm")]
    (folder / "Chart.yaml").write_text("name: reports\n")
    assert hits(shop, "LAY015") == []
