"""What Helm is asked for: hooks in Argo CD's order, what they read, and charts that it would deploy otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import trees

from hanbae import errors, subjects
from hanbae.charts import rendering
from hanbae.planning import upgrades
from hanbae.policy import documents
from hanbae.results import plans

ARGO, HELM = "argocd.argoproj.io/hook", "helm.sh/hook"
WAVE = "argocd.argoproj.io/sync-wave"
BOTH = {HELM: "post-install,pre-upgrade"}


def policy(**services: Any) -> documents.Policy:
    names = {"dev": "-dev", "production": ""}
    environments = {
        name: documents.Environment(namespace_suffix=suffix, engine="helm")
        for name, suffix in names.items()
    }
    argocd = documents.ArgoCD("https://git.example.com/shop.git")
    return documents.Policy(1, argocd, environments, services=documents.Services(**services))


def manifest(kind: str, name: str, **annotations: str) -> rendering.Manifest:
    spec = {"template": {"spec": {"serviceAccountName": "auth-service", "containers": []}}}
    metadata = {"name": name, "annotations": annotations}
    rendered = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    return rendering.Manifest("services/auth/helm/templates/x.yaml", rendered)


def hook(name: str, phase: str, wave: int, **more: str) -> rendering.Manifest:
    return manifest("Job", name, **{ARGO: phase, WAVE: str(wave), **BOTH, **more})


def upgrade(
    *manifests: rendering.Manifest, environment: str = "dev", files: dict[str, str] | None = None
) -> plans.Upgrade:
    tree = trees.MemoryTree({name: text.encode() for name, text in (files or {}).items()})
    return upgrades.of(
        policy(), "auth", environment, commit="c" * 40, manifests=manifests, tree=tree
    )


def test_hooks_run_in_argo_cds_order_before_and_after_the_release() -> None:
    does = upgrade(
        hook("last", "PostSync", -9),
        hook("second", "Sync", -4),
        hook("beside", "Sync", 3),
        hook("first", "Sync", -5),
        hook("before-all", "PreSync", 7),
        manifest("Deployment", "auth-service"),
    )
    assert [ref.name for ref in does.before] == ["before-all", "first", "second"]
    assert [ref.name for ref in does.later] == ["beside", "last"]
    assert (does.release, does.revision) == ("auth-service", "c" * 40)
    assert {ref.namespace for ref in does.hooks} == {"services-dev"}


def test_what_the_hooks_before_read_comes_first() -> None:
    objects = (
        manifest("ServiceAccount", "auth-service"),
        manifest("SealedSecret", "auth-secrets"),
        manifest("ConfigMap", "unread"),
    )
    does = upgrade(hook("migrate", "Sync", -5), *objects)
    assert does.first == (
        subjects.Ref("ServiceAccount", "services-dev", "auth-service"),
        subjects.Ref("SealedSecret", "services-dev", "auth-secrets"),
    )
    assert upgrade(hook("after", "PostSync", 0), *objects).first == ()


def test_a_hook_of_helms_alone_counts_as_argo_cd_counts_it() -> None:
    does = upgrade(manifest("Job", "migrate", **{HELM: "pre-install,pre-upgrade"}))
    assert [ref.name for ref in does.before] == ["migrate"]
    assert upgrade(manifest("Job", "tests", **{HELM: "test"})).hooks == ()


@pytest.mark.parametrize(
    ("annotations", "before", "later"),
    [
        ({ARGO: "PostSync,PreSync", **BOTH}, 1, 1),
        ({HELM: "pre-install,post-upgrade"}, 1, 1),
        ({ARGO: "PreSync,Sync,PostSync", **BOTH}, 1, 2),
        ({ARGO: "PreSync,Sync", WAVE: "-1", **BOTH}, 2, 0),
        ({ARGO: "Sync,SyncFail", WAVE: "-1", **BOTH}, 1, 0),
        # Argo CD's counts alone.
        ({ARGO: "PreSync", HELM: "pre-install,post-upgrade"}, 1, 0),
        ({HELM: "pre-install,pre-upgrade"}, 1, 0),
    ],
)
def test_a_hook_of_several_phases_runs_once_in_each(
    annotations: dict[str, str], before: int, later: int
) -> None:
    does = upgrade(manifest("Job", "migrate", **annotations))
    ref = subjects.Ref("Job", "services-dev", "migrate")
    assert (does.before, does.later) == ((ref,) * before, (ref,) * later)


@pytest.mark.parametrize(
    ("odd", "text_id"),
    [
        (manifest("Job", "migrate", **{ARGO: "Sync", WAVE: "-5"}), "upgrade.hook-of-argocd"),
        (manifest("Pod", "migrate", **{ARGO: "Sync", **BOTH}), "upgrade.hook-no-job"),
        (manifest("Job", "", **{ARGO: "Sync", **BOTH}), "upgrade.hook-no-job"),
    ],
)
def test_a_hook_that_cannot_be_run_alike_is_refused_at_its_template(
    odd: rendering.Manifest, text_id: str
) -> None:
    with pytest.raises(errors.FileFault, match=text_id) as fault:
        upgrade(odd)
    assert fault.value.place is not None
    assert fault.value.place.file == "services/auth/helm/templates/x.yaml"


def test_local_values_in_git_are_refused_for_the_last_environment_only() -> None:
    files = {"services/auth/helm/values.yaml": "a: 1\n"}
    upgrade(environment="dev", files=files)
    with pytest.raises(errors.FileFault, match=r"upgrade\.local-values") as fault:
        upgrade(environment="production", files=files)
    assert fault.value.text.facts["file"] == "services/auth/helm/values.yaml", "for git rm"
    listed = policy(values=("values.yaml", "values-{environment}.yaml"))
    tree = trees.MemoryTree({name: text.encode() for name, text in files.items()})
    upgrades.of(listed, "auth", "production", commit="c", manifests=(), tree=tree)
