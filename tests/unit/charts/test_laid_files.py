"""The files of namespaces and overlays that are brought in line: what stays in them, and at which lines they differ."""

from __future__ import annotations

import pytest

from hanbae.charts import founding, manifest_files, overlay_files
from hanbae.policy import documents, loading

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, overlay: k8s/overlays/dev, namespace_suffix: -dev}
"""
PATH = "namespaces.yaml"


@pytest.fixture
def policy() -> documents.Policy:
    return loading.parse(POLICY.encode(), "hanbae.yaml")[0]


def wrong(policy: documents.Policy, name: str) -> str:
    """A namespace's manifest in which one label is another than the policy's."""
    text = founding.namespace_text(policy, name)
    line = next(line for line in text.splitlines() if "enforce:" in line)
    return text.replace(line, f"{line.partition(':')[0]}: privileged")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_comments_on_the_separators_stay(policy: documents.Policy, newline: str) -> None:
    name = next(iter(founding.spaces(policy)))
    others = "--- # ours: keep this\nkind: ConfigMap\n---\n"
    before = f"# above\n{others}{wrong(policy, name)}".replace("\n", newline)
    text, reasons = manifest_files.namespaces(policy, PATH, before)
    right = f"# above\n{others}{founding.namespace_text(policy, name)}".replace("\n", newline)
    assert text.startswith(right)
    assert "field" in {reason.variant for reason in reasons}


def test_a_separator_stays_above_what_remains_only_with_its_comment(
    policy: documents.Policy,
) -> None:
    gone = "kind: Namespace\nmetadata:\n  name: old\n  annotations: {hanbae.dev/purpose: x}\n"
    for separator, remaining in (("---\n", ""), ("--- # ours\n", "--- # ours\n")):
        text, _ = manifest_files.namespaces(policy, PATH, f"{gone}{separator}kind: ConfigMap\n")
        assert text.startswith(f"{remaining}kind: ConfigMap\n---\n")


def test_what_differs_is_named_at_its_line(policy: documents.Policy) -> None:
    name = next(iter(founding.spaces(policy)))
    before = f"kind: ConfigMap\n---\n# one\n# two\n{wrong(policy, name)}"
    _, reasons = manifest_files.namespaces(policy, PATH, before)
    (line,) = [reason.line for reason in reasons if reason.variant == "field"]
    assert before.splitlines()[line - 1].endswith(": privileged")


def test_a_patch_that_is_otherwise_is_named_at_its_line_in_the_file(
    policy: documents.Policy,
) -> None:
    path = "k8s/overlays/dev/kustomization.yaml"
    whole = founding.overlay_text(policy, "dev", "k8s/overlays/dev")
    lines = [line for line in whole.splitlines() if "hanbae.dev/environment" not in line]
    before = "\n".join(lines).replace("services-dev", "services-other") + "\n"
    before = before.replace("  - pairs:\n", "  - pairs: {team: shop}\n")
    _, reasons = overlay_files.updated(policy, "dev", "k8s/overlays/dev", path, before)
    (line,) = [reason.line for reason in reasons if reason.variant == "suffix"]
    assert line == before.splitlines().index("patches:") + 2
