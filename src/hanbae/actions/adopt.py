"""The half of ``hanbae init`` that adopts a repository which hanbae did not lay: looks, proposes, writes one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors
from hanbae.adopting import applications, policy_text, proposal, survey
from hanbae.clusters import connections, kinds, reading
from hanbae.masking import shapes
from hanbae.policy import loading
from hanbae.repository import checkouts, trees, writing_files
from hanbae.results import files

_WORK: Final = ("main", "master", "trunk", "develop")


class Looked(Struct, frozen=True):
    """What there is, and the policy that it suggests.

    Attributes:
        survey: What there is.
        proposal: The policy.
    """

    survey: survey.Survey
    proposal: proposal.Proposal


async def live(
    context: str | None, namespace: str = "argocd"
) -> tuple[applications.Application, ...]:
    """The Applications that a cluster has.

    Args:
        context: kubeconfig context; None for the current one.
        namespace: Where they are.

    Raises:
        errors.Error: As :func:`hanbae.clusters.reading.find`.
    """
    async with connections.connect(context) as cluster:
        every = await reading.find(cluster, kinds.APPLICATION, namespace)
    return tuple(applications.from_manifest(manifest) for manifest in every)


def look(
    root: Path, *, origin: str = "", deployed: tuple[applications.Application, ...] = ()
) -> Looked | None:
    """What a repository has, and the policy that it suggests; None where there is nothing to adopt.

    Args:
        root: The repository's top folder.
        origin: The remote's URL; empty for none.
        deployed: The Applications that a cluster has.
    """
    branches, current = _branches(root)
    present = survey.of(trees.WorkingTree(root), branches, deployed)
    if present.is_empty or present.is_laid:
        return None
    work = next((name for name in _WORK if name in branches), current or "main")
    return Looked(present, proposal.of(present, origin=origin, default_branch=work))


def settled(
    chosen: proposal.Proposal,
    repository: str | None,
    *,
    one_cluster: bool = False,
    branches: Mapping[str, str] | None = None,
    contexts: Mapping[str, str] | None = None,
) -> proposal.Proposal:
    """A proposal with what a person has decided.

    Args:
        chosen: The proposal.
        repository: URL of the repository; None for the proposed one.
        one_cluster: Whether all environments share a cluster: then suffixes keep their namespaces apart.
        branches: Environment → branch, where a person has said it.
        contexts: Environment → kubeconfig context, where a person has said it.

    Raises:
        errors.WrongUse: The URL is not known, or has a password in it.
    """
    url = repository or chosen.repository
    if not url:
        raise errors.WrongUse("init.repository-needed")
    if shapes.in_url(url):
        raise errors.WrongUse("init.password-in-url")
    decided = []
    for item in chosen.environments:
        guessed = set(item.guessed)
        branch, control, suffix = item.branch, item.control, item.suffix
        if item.name in (branches or {}):
            branch = (branches or {})[item.name]
            guessed.discard("branch")
        if item.name in (contexts or {}):
            control = (contexts or {})[item.name]
            guessed.discard("control")
        if one_cluster and "control" in guessed:
            control, suffix = "", f"-{item.name}"
            guessed.discard("control")
        decided.append(
            msgspec.structs.replace(
                item,
                branch=branch,
                control=control,
                suffix=suffix,
                guessed=tuple(sorted(guessed)),
            )
        )
    return msgspec.structs.replace(chosen, repository=url, environments=tuple(decided))


def write(root: Path, chosen: proposal.Proposal, language: str) -> tuple[files.FileChange, ...]:
    """Write the policy, and nothing else.

    Args:
        root: The repository's top folder.
        chosen: The policy.
        language: ``en`` or ``ko``.

    Raises:
        errors.FileFault: Something in the repository has a name that no policy may hold.
    """
    text = policy_text.text(chosen, language)
    loading.parse(text.encode(), loading.NAME)
    return writing_files.place(root, {loading.NAME: text})


def _branches(root: Path) -> tuple[tuple[str, ...], str]:
    """The branches that a clone knows, its own and those of its remotes, and the one that is checked out."""
    try:
        checkout = checkouts.Checkout.open(root)
    except errors.WrongUse:
        return (), ""
    return checkout.branches()
