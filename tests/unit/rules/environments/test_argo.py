"""What Argo CD is told against the policy: generated files as they are written, and altered in one place each."""

from __future__ import annotations

import pytest
from tests.support import trees

from hanbae.actions import generate_argocd
from hanbae.policy import loading
from hanbae.rules import casebook, rulebook, running, views

RULES = [rulebook.rules()[code] for code in ("ENV001", "ENV002", "ARG031", "ARG037", "ARG038")]
SET = "k8s/argocd/production/applicationset.yaml"
Change = casebook.Change
Hits = list[tuple[str, str, dict[str, str]]]


def project(tree: trees.MemoryTree) -> views.Project:
    policy, places = loading.parse(tree.contents["hanbae.yaml"], "hanbae.yaml")
    return views.Project(policy, places, tree, ("auth", "identity", "personal"))


def findings_of(tree: trees.MemoryTree) -> Hits:
    """Place, variant (for Argo CD's own rules: the code), facts."""
    every = running.over_project(project(tree), RULES)
    return [
        (
            str(finding.hit.place),
            finding.hit.variant if finding.rule.code.startswith("ENV") else finding.rule.code,
            finding.hit.facts,
        )
        for finding in every
    ]


@pytest.fixture(scope="session")
def generated(shop: trees.MemoryTree) -> trees.MemoryTree:
    """The shop with all that ``hanbae generate argocd`` writes for it."""
    policy = project(shop).policy
    texts = {
        path: text
        for name in ("dev", "staging", "production")
        for path, text in generate_argocd.manifests(policy, name).items()
    }
    return shop.changed(Change(path, text=text) for path, text in texts.items())


def test_what_is_generated_is_what_is_wanted(generated: trees.MemoryTree) -> None:
    assert findings_of(generated) == []


@pytest.mark.parametrize(
    ("before", "after", "variant", "expected"),
    [
        ("targetRevision: refs/heads/main", "targetRevision: HEAD", "ARG037", None),
        ("targetRevision: refs/heads/main", "targetRevision: refs/heads/release", "ARG037", None),
        ("- values-prod.yaml", "- values-dev.yaml", "values", None),
        ("namespace: services-production", "namespace: services-dev", "namespace", None),
        ("syncPolicy:\n        retry:", "syncPolicy:\n        automated: {}\n        retry:", "ARG031", None),
        ("releaseName: '{{ index .path.segments 1 }}-service'", "releaseName: x", "ARG038", None),
        ("      project: services-production", "      project: default", "field", None),
        ("applicationsSync: create-update", "applicationsSync: sync", "field", "create-update"),
        ("revision: refs/heads/main", "revision: refs/heads/develop", "ARG037", None),
        ("          - PruneLast=true\n", "", "field", "[…]"),
    ],
)  # fmt: skip
def test_generated_set_that_was_edited_is_told(
    generated: trees.MemoryTree, before: str, after: str, variant: str, expected: str | None
) -> None:
    text = generated.contents[SET].decode()
    # The generator's revision ends like the template's: only the first place is meant.
    assert before in text
    changed = generated.changed([Change(SET, text=text.replace(before, after, 1))])
    ((place, variant_found, facts),) = findings_of(changed)
    assert (place.split(":")[0], variant_found) == (SET, variant)
    assert int(place.split(":")[1]) > 1
    assert expected in (None, facts.get("wanted"))


def test_missing_and_leftover_files_are_told(generated: trees.MemoryTree) -> None:
    moved = [
        Change("k8s/argocd/staging/project.yaml", remove=True),
        *(Change(f"k8s/argocd/production/{name}", remove=True) for name in
          ("project.yaml", "applicationset.yaml", "kustomization.yaml")),
        Change("k8s/argocd/qa/project.yaml", text="# hanbae generate argocd\n"),
    ]  # fmt: skip
    assert [(place.split(":")[0], variant, facts.get("environment")) for place, variant, facts in
            findings_of(generated.changed(moved))] == [
        ("hanbae.yaml", "missing", "staging"),
        ("hanbae.yaml", "missing", "production"),
        ("k8s/argocd/qa/project.yaml", "left", "qa"),
    ]  # fmt: skip


KUSTOMIZATION = "k8s/argocd/production/kustomization.yaml"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("kind:", "patches: [{path: x.yaml}]\nkind:", {"patches"}),
        ("  - project.yaml\n", "", {"resources"}),
        ("  - project.yaml\n", "  - https://example.com/project.yaml\n", {"resources"}),
        ("  - project.yaml\n", "  - ./project.yaml\n  - own.yaml\n", set()),
        ("kind:", "<<: {resources: []}\nkind:", {"resources"}),
    ],
)
def test_what_a_kustomization_makes_of_the_generated_files_is_told(
    generated: trees.MemoryTree, before: str, after: str, expected: set[str]
) -> None:
    text = generated.contents[KUSTOMIZATION].decode()
    assert before in text
    changed = generated.changed([Change(KUSTOMIZATION, text=text.replace(before, after, 1))])
    results = findings_of(changed)
    assert {(place.split(":")[0], variant) for place, variant, _ in results} == {
        (KUSTOMIZATION, "field") for _ in expected
    }
    assert {facts["field"] for _, _, facts in results} == expected


def application(**changes: str) -> str:
    parts = {
        "branch": "refs/heads/develop",
        "files": "[values-dev.yaml]",
        "policy": "{automated: {prune: true}}",
    } | changes
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: other}}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: auth-dev}}
spec:
  project: services-dev
  sources:
    - {{repoURL: "https://git.example.com/shop", path: docs, targetRevision: develop}}
    - repoURL: https://git.example.com/Shop.git
      path: services/auth/helm/
      targetRevision: {parts["branch"]}
      helm: {{releaseName: auth-service, valueFiles: {parts["files"]}}}
  destination: {{name: in-cluster, namespace: services-dev}}
  syncPolicy: {parts["policy"]}
"""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"branch": "develop"},
        {"files": "[/services/auth/helm/values-dev.yaml]"},
        {"files": "[../helm/values-dev.yaml]"},
    ],
)
def test_application_that_means_the_same_is_fine(
    shop: trees.MemoryTree, changes: dict[str, str]
) -> None:
    assert findings_of(shop.changed([Change("apps/dev.yaml", text=application(**changes))])) == []


@pytest.mark.parametrize(
    ("changes", "variant"),
    [
        ({"branch": "main"}, "ARG037"),
        ({"branch": "'3'"}, "ARG037"),
        ({"files": "[values-dev.yaml, values-local.yaml]"}, "values"),
        ({"files": "values-dev.yaml"}, "values"),
        ({"policy": "{}"}, "sync"),
        ({"policy": "{automated: {enabled: false}}"}, "sync"),
        ({"policy": "x"}, "sync"),
    ],
)
def test_application_that_says_otherwise_is_told_at_its_document(
    shop: trees.MemoryTree, changes: dict[str, str], variant: str
) -> None:
    text = application(**changes)
    ((place, variant_found, _),) = findings_of(shop.changed([Change("apps/dev.yaml", text=text)]))
    assert (place.split(":")[0], variant_found) == ("apps/dev.yaml", variant)
    assert int(place.split(":")[1]) >= 8


def test_password_in_the_url_of_a_repository_is_not_told(shop: trees.MemoryTree) -> None:
    text = application().replace("https://git.example.com/Shop.git", "https://u:hunter2x@h/s.git")
    ((_, variant, facts),) = findings_of(shop.changed([Change("apps/dev.yaml", text=text)]))
    assert variant == "field"
    assert "hunter2x" not in str(facts)


@pytest.mark.parametrize(
    "text",
    [
        "argoproj.io/ [",
        "kind: Application\nmetadata: 3\nspec: {source: 3}\napiVersion: argoproj.io/v1alpha1\n",
        "- argoproj.io/\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: services-production}\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: [a]\nmetadata: {name: {a: b}}\n",
    ],
)
def test_odd_shapes_raise_nothing(generated: trees.MemoryTree, text: str) -> None:
    for path in (SET, "apps/dev.yaml"):
        hits = running.over_project(project(generated.changed([Change(path, text=text)])), RULES)
        assert not [finding for finding in hits if finding.hit.variant == "failed"]
