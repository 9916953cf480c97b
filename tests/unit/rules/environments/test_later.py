"""The policy edited after rights and admission policies were generated: what is left or missing is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support import trees

from hanbae.actions import generate_admission, generate_rbac
from hanbae.argo import authorizing
from hanbae.policy import documents, loading
from hanbae.repository import services
from hanbae.rules import rulebook, views

Manifests = Callable[[documents.Policy, str], dict[str, str]]
Edit = tuple[str, str]

RULE = """
rules:
  - id: two-replicas
    kinds: [apps/Deployment]
    expression: object.spec.replicas >= 2
    message: "Production runs two pods of everything."
    environments: [production]
"""
SERVICES = ("auth", "identity", "personal")


def rbac(policy: documents.Policy, environment: str) -> dict[str, str]:
    described = [authorizing.Service(name) for name in SERVICES]
    return generate_rbac.manifests(policy, environment, described)


def admission(policy: documents.Policy, environment: str) -> dict[str, str]:
    return generate_admission.manifests(policy, environment)


def variants(
    shop: trees.MemoryTree, code: str, generate: Manifests, *edits: Edit, more: str = ""
) -> set[tuple[str, str]]:
    """What a rule finds, as variant and file, after files were generated and the policy was edited."""
    text = shop.contents["hanbae.yaml"].decode() + more
    policy, _ = loading.parse(text.encode(), "hanbae.yaml")
    generated: dict[str, bytes] = {}
    for name in ("dev", "staging", "production"):
        generated |= {path: text.encode() for path, text in generate(policy, name).items()}
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    tree = trees.MemoryTree({**shop.contents, **generated, "hanbae.yaml": text.encode()})
    policy, places = loading.parse(text.encode(), "hanbae.yaml")
    project = views.Project(policy, places, tree, services.of(policy, tree))
    hits = rulebook.rules()[code].check(project)
    return {(hit.variant, getattr(hit.place, "file", "")) for hit in hits}


def files(folder: str, *names: str) -> set[tuple[str, str]]:
    return {("left", f"{folder}/{name}.yaml") for name in names}


PARTS = ("admission", "identity", "kustomization", "roles")


@pytest.fixture
def plain(shop: trees.MemoryTree) -> trees.MemoryTree:
    """The shop with services that have no databases, so that no image is needed."""
    kept = {path: data for path, data in shop.contents.items() if "/migrations/" not in path}
    for path in kept:
        if path.startswith("services/") and "/helm/values-" in path:
            kept[path] = b"migration: {enabled: false}\n"
    return trees.MemoryTree(kept)


def test_rights_are_as_generated(plain: trees.MemoryTree) -> None:
    assert variants(plain, "ENV017", rbac) == set()


def test_rights_of_a_renamed_environment_are_left_and_missing(plain: trees.MemoryTree) -> None:
    hits = variants(plain, "ENV017", rbac, ("  staging:\n", "  qa:\n"))
    assert hits == {*files("k8s/rbac/staging", *PARTS), ("absent", "hanbae.yaml")}


def test_rights_move_when_the_pods_get_a_cluster_of_their_own(plain: trees.MemoryTree) -> None:
    hub = ("    namespace_suffix: -dev\n", "    namespace_suffix: -dev\n    workload: pods\n")
    hits = variants(plain, "ENV017", rbac, hub)
    assert hits == {*files("k8s/rbac/dev", *PARTS), ("absent", "hanbae.yaml")}


def test_rights_of_split_clusters_are_left_when_they_are_joined(plain: trees.MemoryTree) -> None:
    suffix = "    namespace_suffix: -dev\n"
    text = plain.contents["hanbae.yaml"].decode().replace(suffix, f"{suffix}    workload: pods\n")
    split = trees.MemoryTree({**plain.contents, "hanbae.yaml": text.encode()})
    hits = variants(split, "ENV017", rbac, ("    workload: pods\n", ""))
    left = {*files("k8s/rbac/dev/control", *PARTS), *files("k8s/rbac/dev/workload", *PARTS)}
    assert hits == {*left, ("absent", "hanbae.yaml")}


def test_rights_follow_the_namespace_of_services(plain: trees.MemoryTree) -> None:
    hits = variants(plain, "ENV017", rbac, ("  namespace: services\n", "  namespace: bakery\n"))
    assert {variant for variant, _ in hits} == {"missing", "other"}


def test_admission_policies_are_as_generated(shop: trees.MemoryTree) -> None:
    assert variants(shop, "ENV019", admission, more=RULE) == set()


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ((">= 2", ">= 3"), {"differs"}),
        (("id: two-replicas", "id: two-pods"), {"missing", "rule-left"}),
        (("    environments: [production]\n", ""), {"missing"}),
        (("environments: [production]", "environments: [staging]"), {"left", "missing"}),
        ((RULE, "\n"), {"left"}),
        (("namespace_suffix: -production", "namespace_suffix: -prod"), {"differs"}),
    ],
)
def test_admission_policies_follow_the_rules(
    shop: trees.MemoryTree, edit: Edit, expected: set[str]
) -> None:
    hits = variants(shop, "ENV019", admission, edit, more=RULE)
    assert {variant for variant, _ in hits} == expected


FOLDER = "k8s/admission/production"


def altered(*changes: tuple[str, str, str]) -> Manifests:
    """The generated admission policies with some files changed: name, what is replaced, and by what."""

    def generate(policy: documents.Policy, environment: str) -> dict[str, str]:
        texts = admission(policy, environment)
        for name, old, new in changes if texts else ():
            path = f"{FOLDER}/{name}"
            text = texts.get(path, "")
            assert old in text
            texts[path] = text.replace(old, new) if old else new
        return texts

    return generate


BINDING = "kind: ValidatingAdmissionPolicyBinding"
KUSTOMIZATION = "kustomization.yaml"


@pytest.mark.parametrize(
    ("generate", "expected"),
    [
        (altered((KUSTOMIZATION, "  - rules.yaml", "  - ./rules.yaml\n  - own.yaml")), set()),
        (altered((KUSTOMIZATION, "  - rules.yaml", "  - other.yaml")), {("differs", KUSTOMIZATION)}),
        (altered((KUSTOMIZATION, "kind:", "patches: [{path: a.yaml}]\nkind:")), {("differs", KUSTOMIZATION)}),
        (altered((KUSTOMIZATION, "kind:", "namePrefix: x\nkind:")), {("differs", KUSTOMIZATION)}),
        (altered((KUSTOMIZATION, "kind: Kustomization", "kind: Component")), {("differs", KUSTOMIZATION)}),
        (altered((KUSTOMIZATION, "kind:", "<<: {resources: []}\nkind:")), {("differs", KUSTOMIZATION)}),
        (altered((KUSTOMIZATION, "kind:", f"# {'x' * 2**20}\nkind:")), {("differs", KUSTOMIZATION)}),
        (altered((KUSTOMIZATION, "", "")), {("differs", KUSTOMIZATION)}),
        (altered((KUSTOMIZATION, "", "resources: [rules.yaml]\n")), set()),
        (altered((KUSTOMIZATION, "", "resources: [rules.yaml]\n---\nresources: []\n")), {("differs", KUSTOMIZATION)}),
        (altered(("kustom.yaml", "", f"{BINDING}\nmetadata: {{name: x}}\n")), {("rule-left", "kustom.yaml")}),
        (altered(("rules.yaml", "kind: Val", "kind: Wal")), {("missing", "hanbae.yaml")}),
    ],
)  # fmt: skip
def test_what_a_kustomization_makes_of_admission_policies_is_told(
    shop: trees.MemoryTree, generate: Manifests, expected: set[tuple[str, str]]
) -> None:
    hits = variants(shop, "ENV019", generate, more=RULE)
    assert {(variant, path.removeprefix(f"{FOLDER}/")) for variant, path in hits} == expected


def test_admission_policies_in_another_kustomization_are_told(shop: trees.MemoryTree) -> None:
    def generate(policy: documents.Policy, environment: str) -> dict[str, str]:
        texts = admission(policy, environment)
        texts.pop(f"{FOLDER}/{KUSTOMIZATION}", None)
        return texts | {f"{FOLDER}/kustomization.yml": "resources: []\n"}

    hits = variants(shop, "ENV019", generate, more=RULE)
    assert hits == {("missing", f"{FOLDER}/{KUSTOMIZATION}")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rules.yaml", set()),
        ("moved.yaml", set()),
        ("further/rules.yaml", {("missing", "hanbae.yaml")}),
    ],
)
def test_without_a_kustomization_every_file_is_applied(
    shop: trees.MemoryTree, name: str, expected: set[tuple[str, str]]
) -> None:
    """By ``kubectl apply -f``, or a directory source."""

    def generate(policy: documents.Policy, environment: str) -> dict[str, str]:
        texts = admission(policy, environment)
        texts.pop(f"{FOLDER}/{KUSTOMIZATION}", None)
        path = f"{FOLDER}/rules.yaml"
        return {f"{FOLDER}/{name}": texts[path]} if path in texts else texts

    assert variants(shop, "ENV019", generate, more=RULE) == expected


def test_a_policy_without_its_binding_is_told(shop: trees.MemoryTree) -> None:
    def generate(policy: documents.Policy, environment: str) -> dict[str, str]:
        texts = admission(policy, environment)
        path = f"{FOLDER}/rules.yaml"
        if path in texts:
            texts[path], _, binding = texts[path].partition("---\n")
            assert BINDING in binding
        return texts

    assert variants(shop, "ENV019", generate, more=RULE) == {("missing", "hanbae.yaml")}


def test_policies_in_a_file_that_is_not_applied_are_missing(shop: trees.MemoryTree) -> None:
    def generate(policy: documents.Policy, environment: str) -> dict[str, str]:
        texts = admission(policy, environment)
        path = f"{FOLDER}/rules.yaml"
        if path in texts:
            texts |= {path: "# nothing\n", f"{FOLDER}/moved.yaml": texts[path]}
        return texts

    assert variants(shop, "ENV019", generate, more=RULE) == {("missing", "hanbae.yaml")}


def test_rules_that_were_never_generated_are_not_asked_for(shop: trees.MemoryTree) -> None:
    assert variants(shop, "ENV019", lambda _policy, _name: {}, more=RULE) == set()
