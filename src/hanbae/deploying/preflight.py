"""What is known to fail is not started: secrets that nothing makes, images that are not there or lack migrations.

Everything here is known before anything is touched: from the commit, the cluster and the registry. What cannot be
asked (a registry that this machine does not reach, a Secret that may not be read) is left to the deployment itself,
and said: who reads nothing of it takes it for checked.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.deploying import contracting, trusting
from hanbae.gates import deciding, targets
from hanbae.images import sources
from hanbae.planning import deployments
from hanbae.results import checklists, plans


class Examined(Struct, frozen=True):
    """What is known of a deployment before it begins.

    Attributes:
        reasons: Why it would fail, each with its cure.
        unchecked: What could not be looked at, each with its cure and followed by the reason.
        checked: What became of the items before a deployment.
    """

    reasons: tuple[wording.Text, ...] = ()
    unchecked: tuple[wording.Text, ...] = ()
    checked: checklists.Checked = checklists.Checked("before", ())


class KnownToFail(errors.Refused):
    """Deployments that would fail; nothing was begun.

    Attributes:
        reasons: Each reason with its cure; the first one is the error's own text.
    """

    def __init__(self, reasons: tuple[wording.Text, ...]) -> None:
        super().__init__(reasons[0].id)
        self.text = reasons[0]
        self.args = (str(self.text),)
        self.reasons = reasons

    @property
    def texts(self) -> tuple[wording.Text, ...]:
        """Each reason."""
        return self.reasons


def is_begun(source: deployments.Source) -> bool:
    """Whether anything was done for the environment since the scaffold: an image named, or a value sealed."""
    if source.output is not None:
        return source.databases().model.begun
    return _names_image(source) or bool(_value(source, "sealedSecret", "encryptedData"))


def without_plan(source: deployments.Source) -> wording.Text | None:
    """Why there is nothing to plan: no image is named, so that the chart renders no pods."""
    image = _value(source, "image")
    if not isinstance(image, Mapping) or "repository" not in image or _names_image(source):
        return None
    return wording.Text("preflight.no-image", _facts(source) | {"file": source.values_file})


_ALWAYS: Final = (
    "image-pushed",
    "migrations-in-image",
    "secrets-sealed",
)
"""Gates without whose yes a deployment is known to fail, whether the policy's checklist has them or not."""


async def examine(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    plan: plans.Plan,
    stated: tuple[checklists.Statement, ...] = (),
) -> Examined:
    """Why a deployment would fail, and what could not be looked at: what the gates before it say.

    Args:
        space: The workspace.
        clusters: Its clusters.
        source: The service at the commit.
        plan: Its plan.
        stated: What people say of the items; what somebody waives is no reason.
    """
    registries = sources.of(space.policy, insecure=space.insecure)
    target = targets.Target(
        source,
        plan,
        clusters.workload,
        registries,
        stated=stated,
        trusted=trusting.commands(space),
        clock=space.clock,
        typed=functools.partial(space.typed, plan.environment),
    )
    bound = deciding.gates(source.policy, "before")
    by_gate = await deciding.verdicts_of(dict.fromkeys((*_ALWAYS, *bound)), target)
    by_gate |= await deciding.own("before", target)
    reasons: list[wording.Text] = list(await contracting.reasons(space, clusters, source, plan))
    unchecked: list[wording.Text] = []
    checked = deciding.checked(source.policy, "before", by_gate, stated)
    waived = {
        deciding.key(decision) for decision in checked.decisions if decision.outcome == "waived"
    }
    for gate, verdict in by_gate.items():
        if gate in waived:
            continue
        reasons += [text for text in verdict.reasons if text not in reasons]
        unchecked += [text for text in verdict.unseen if text not in unchecked]
    return Examined(tuple(reasons), tuple(unchecked), checked)


def _names_image(source: deployments.Source) -> bool:
    image = _value(source, "image")
    return isinstance(image, Mapping) and bool(image.get("tag") or image.get("digest"))


def _value(source: deployments.Source, *path: str) -> Any:
    current: Any = source.rendered.values
    for part in path:
        current = current.get(part) if isinstance(current, Mapping) else None
    return current


def _facts(source: deployments.Source) -> dict[str, str]:
    return {
        "service": source.service,
        "environment": source.environment,
        "revision": source.revision.commit[:12],
    }
