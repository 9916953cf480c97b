"""What Helm is asked for: which hooks run before and after the release, and what they read first.

The order is Argo CD's, by its phases and waves, so that a chart does the same under both engines.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hanbae import errors, subjects
from hanbae.argo import hooks, needs
from hanbae.charts import rendering
from hanbae.policy import documents, environments, naming
from hanbae.repository import trees
from hanbae.results import plans

_HELM_HOOK: Final = "helm.sh/hook"
_VALUES: Final = "values.yaml"
_PHASES: Final = ("PreSync", "Sync", "PostSync")


def of(
    policy: documents.Policy,
    service: str,
    environment: str,
    *,
    commit: str,
    manifests: Iterable[rendering.Manifest],
    tree: trees.Tree,
) -> plans.Upgrade:
    """What Helm is asked for.

    Args:
        policy: The policy, located in the commit.
        service: The service.
        environment: The environment.
        commit: Full id of the commit.
        manifests: What its chart renders.
        tree: The files of the commit.

    Raises:
        hanbae.errors.FileFault: A hook cannot be run under Helm, or the last environment would use local values.
    """
    _refuse_local_values(policy, service, environment, tree)
    listed = list(manifests)
    objects = [manifest.object for manifest in listed]
    namespace = naming.namespace(policy, service, environment)
    before: list[tuple[int, int, subjects.Ref]] = []
    later: list[tuple[int, int, subjects.Ref]] = []
    readers = []
    for manifest in listed:
        wave = hooks.wave(manifest.object)
        # A hook of several phases runs once in each.
        for phase in hooks.phases(manifest.object):
            if phase not in _PHASES:
                continue
            _refuse_odd(manifest, naming.chart(policy, service).as_posix())
            place = (_PHASES.index(phase), wave, _ref(manifest.object, namespace))
            # Helm applies the release at once; to Argo CD what names no wave is in wave 0.
            if phase == "PreSync" or (phase == "Sync" and wave < 0):
                before.append(place)
                readers.append(manifest.object)
            else:
                later.append(place)
    return plans.Upgrade(
        naming.release(policy, service, environment),
        commit,
        needs.of(readers, objects, namespace),
        tuple(ref for _, _, ref in sorted(before)),
        tuple(ref for _, _, ref in sorted(later)),
    )


def _refuse_odd(manifest: rendering.Manifest, chart: str) -> None:
    """Refuse a hook that Helm would take for an ordinary object, or that is no Job with a name."""
    rendered = manifest.object
    metadata = rendered["metadata"]
    place = subjects.Place(manifest.template or chart)
    facts = {"object": f"{rendered['kind']}/{metadata.get('name') or '-'}"}
    if _HELM_HOOK not in (metadata.get("annotations") or {}):
        raise errors.FileFault("upgrade.hook-of-argocd", place=place, **facts)
    if rendered["kind"] != "Job" or not metadata.get("name"):
        raise errors.FileFault("upgrade.hook-no-job", place=place, **facts)


def _refuse_local_values(
    policy: documents.Policy, service: str, environment: str, tree: trees.Tree
) -> None:
    """Refuse a chart with a ``values.yaml`` of its own in the last environment, unless the policy lists it.

    Helm reads it whether it is named or not, and the policy has it for developers.
    """
    path = f"{naming.chart(policy, service)}/{_VALUES}"
    listed = {str(file) for file in naming.values_files(policy, service, environment)}
    is_last = environments.is_last(policy, environment)
    if is_last and path not in listed and tree.read(path) is not None:
        facts = {"environment": environment, "file": shlex.quote(path)}
        raise errors.FileFault("upgrade.local-values", place=subjects.Place(path), **facts)


def _ref(manifest: Mapping[str, Any], namespace: str) -> subjects.Ref:
    metadata = manifest["metadata"]
    return subjects.Ref(manifest["kind"], metadata.get("namespace") or namespace, metadata["name"])
