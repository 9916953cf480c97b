"""The half of ``hanbae init`` that adopts a repository which hanbae did not lay: looks, proposes, writes one file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, wording
from hanbae.adopting import from_releases, policy_text, proposal, survey, surveyed_applications
from hanbae.adopting.proposal import Stated
from hanbae.charts import pools, rendering
from hanbae.clusters import connections, kinds, reading
from hanbae.masking import shapes
from hanbae.planning import manifests, releases
from hanbae.policy import documents, folders, loading, naming, service_paths
from hanbae.releases import parts
from hanbae.repository import checkouts, services, trees, writing_files
from hanbae.results import files

_MOST_RENDERED: Final = 60
"""Services that are rendered; the rest is called like them."""
_WORK: Final = ("main", "master", "trunk", "develop")


class Looked(Struct, frozen=True):
    """What there is, and the policy that it suggests.

    Attributes:
        survey: What there is.
        proposal: The policy.
        origin: The remote's URL; empty for none.
        branch: The branch of work.
        stated: What a person has said of it.
    """

    survey: survey.Survey
    proposal: proposal.Proposal
    origin: str = ""
    branch: str = "main"
    stated: Stated = Stated()


class Decided(Struct, frozen=True):
    """What a person has decided of a proposal.

    Attributes:
        repository: URL of the repository; None for the proposed one.
        one_cluster: Whether all environments share a cluster: then suffixes keep their namespaces apart.
        names: ``namespace``, ``release``, ``application`` or ``secret`` → its template.
        values: The values files, in order; empty for the proposed ones.
        branches: Environment → branch.
        contexts: Environment → kubeconfig context.
        encrypted: Registries that seemed to speak plain HTTP and have TLS.
        registries: Whether a person has said so of each registry.
    """

    repository: str | None = None
    one_cluster: bool = False
    names: Mapping[str, str] = {}
    values: tuple[str, ...] = ()
    branches: Mapping[str, str] = {}
    contexts: Mapping[str, str] = {}
    encrypted: frozenset[str] = frozenset()
    registries: bool = False


async def live(
    context: str | None, namespace: str = "argocd"
) -> tuple[surveyed_applications.Application, ...]:
    """The Applications that a cluster has, in whichever namespaces the user may look.

    Args:
        context: kubeconfig context; None for the current one.
        namespace: Where they are looked for where the user may not look everywhere.

    Raises:
        errors.Error: As :func:`hanbae.clusters.reading.find`.
    """
    async with connections.connect(context) as cluster:
        try:
            every = await reading.find(cluster, kinds.APPLICATION, None)
        except errors.Forbidden:
            every = await reading.find(cluster, kinds.APPLICATION, namespace)
    return tuple(surveyed_applications.from_manifest(manifest) for manifest in every)


def look(
    root: Path, *, origin: str = "", deployed: tuple[surveyed_applications.Application, ...] = ()
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
    proposed = proposal.of(present, origin=origin, default_branch=work)
    return Looked(present, proposed, origin, work)


async def apply(root: Path, looked: Looked, stated: Stated) -> Looked:
    """What there is once a person has said what it does not say.

    Args:
        root: The repository's top folder.
        looked: What there is.
        stated: What the person has said.
    """
    if stated == looked.stated:
        return looked
    proposed = proposal.of(
        looked.survey, origin=looked.origin, default_branch=looked.branch, stated=stated
    )
    return await completed(root, msgspec.structs.replace(looked, proposal=proposed, stated=stated))


async def completed(root: Path, looked: Looked) -> Looked:
    """What there is, with what the charts render by the proposed policy: Secrets, migrations, images.

    Args:
        root: The repository's top folder.
        looked: What there is.
    """
    tree = trees.WorkingTree(root)
    samples = await _samples(tree, looked.proposal)
    present = from_releases.with_applications(looked.survey, samples)
    if present != looked.survey:  # a chart of Applications: what they deploy is known only now
        proposed = proposal.of(
            present, origin=looked.origin, default_branch=looked.branch, stated=looked.stated
        )
        looked = msgspec.structs.replace(looked, survey=present, proposal=proposed)
        samples = await _samples(tree, proposed)
    proposed = from_releases.completed(looked.proposal, samples, looked.survey)
    return msgspec.structs.replace(looked, proposal=proposed)


async def _samples(tree: trees.Tree, proposed: proposal.Proposal) -> list[from_releases.Sample]:
    """The services of a proposal, each rendered for the first environment that it can be rendered for."""
    # A policy without the repository's URL is refused when it is read; which URL it is makes no
    # difference to what is rendered.
    proposed = msgspec.structs.replace(proposed, repository=proposed.repository or "-")
    try:
        policy, _ = loading.parse(_encoded(policy_text.text(proposed, "en")), loading.NAME)
    except errors.FileFault:
        return []  # writing it says what is wrong with it
    policy = services.located(policy, tree)
    samples: list[from_releases.Sample] = []
    async with pools.opened() as pool:
        for service in services.every(policy, tree)[:_MOST_RENDERED]:
            for environment in policy.environments:
                # A chart that does not render for one environment is tried for the next. `WrongUse`
                # is what a machine without Kustomize says.
                with contextlib.suppress(errors.FileFault, errors.WrongUse):
                    release = await _rendered(pool, policy, tree, service, environment)
                    if release is not None:
                        chart = str(naming.chart(policy, service))
                        folder = str(naming.migrations_folder(policy, service))
                        samples.append(
                            from_releases.Sample(service, environment, release, chart, folder)
                        )
                        break
    return samples


async def _rendered(
    pool: pools.Pool, policy: documents.Policy, tree: trees.Tree, service: str, environment: str
) -> parts.Release | None:
    """A release; None where it has no values or no chart, or a folder without one is not in the environment."""
    if service_paths.has_no_chart(policy.services, service):
        if not service_paths.is_in(policy.services, service, environment):
            return None
        rendered = (await manifests.make(policy, tree, service, environment)).rendered
        return _read(policy, tree, service, environment, rendered)
    values = releases.values(tree, policy, service, environment)
    chart = str(naming.chart(policy, service))
    if values.missing or tree.read(folders.path(chart, services.CHART)) is None:
        return None
    request = releases.requested(tree, policy, service, environment, values.contents)
    (answer,) = await rendering.answers(pool, tree, chart, [request])
    rendered = rendering.rendered(answer, chart=chart, values_files=request.values_files)
    return _read(policy, tree, service, environment, rendered)


def _read(
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
    rendered: rendering.Rendered,
) -> parts.Release:
    objects = [manifest.object for manifest in rendered.manifests]
    read = releases.read(
        policy, tree, service, environment, manifests=objects, values=rendered.values
    )
    return read.model


def settled(proposed: proposal.Proposal, decided: Decided) -> proposal.Proposal:
    """A proposal with what a person has decided.

    Args:
        proposed: The proposal.
        decided: It.

    Raises:
        errors.WrongUse: The URL is not known, or has a password in it.
    """
    url = decided.repository or proposed.repository
    if not url:
        raise errors.WrongUse("init.repository-needed")
    if shapes.in_url(url):
        raise errors.WrongUse("init.password-in-url")
    proposed = named(proposed, decided.names)
    guesses = proposed.guesses
    if decided.values:
        guesses -= {"values"}
    if decided.registries:
        guesses -= {"registries"}
    return msgspec.structs.replace(
        proposed,
        repository=url,
        values=decided.values or proposed.values,
        registries=tuple(host for host in proposed.registries if host not in decided.encrypted),
        environments=tuple(_environment(item, decided) for item in proposed.environments),
        guesses=guesses,
    )


def named(proposed: proposal.Proposal, names: Mapping[str, str]) -> proposal.Proposal:
    """A proposal with templates that a person has said; a namespace may tell environments apart.

    Args:
        proposed: The proposal.
        names: ``namespace``, ``release``, ``application`` or ``secret`` → its template.
    """
    changed = msgspec.structs.replace(proposed, **names, guesses=proposed.guesses - names.keys())
    if "namespace" not in names:
        return changed
    environments = proposal.apart(proposed.environments, names["namespace"])
    return msgspec.structs.replace(changed, environments=environments)


def _environment(item: proposal.Environment, decided: Decided) -> proposal.Environment:
    if item.name in decided.branches:
        guessed = tuple(key for key in item.guessed if key != "branch")
        branch = decided.branches[item.name]
        item = msgspec.structs.replace(item, branch=branch, guessed=guessed)
    # Where the repository itself says which cluster it is, no answer of a person's changes it.
    if "control" not in item.guessed:
        return item
    if item.name in decided.contexts:
        own = proposal.without_guessed_cluster(item)
        return msgspec.structs.replace(own, control=decided.contexts[item.name])
    if decided.one_cluster:
        own = proposal.without_guessed_cluster(item)
        return msgspec.structs.replace(own, suffix=f"-{item.name}")
    return item


def write(root: Path, proposed: proposal.Proposal, language: str) -> tuple[files.FileChange, ...]:
    """Write the policy, and nothing else.

    Args:
        root: The repository's top folder.
        proposed: The policy.
        language: ``en`` or ``ko``.

    Raises:
        errors.FileFault: Something in the repository has a name that no policy may hold.
    """
    text = policy_text.text(proposed, language)
    try:
        loading.parse(_encoded(text), loading.NAME)
    except errors.FileFault as fault:
        fault.place = None  # no line of a file that is not there
        fault.hint = wording.Text("adopt.name-unfit")
        raise
    return writing_files.place(root, {loading.NAME: text})


def _encoded(text: str) -> bytes:
    """A policy's text as bytes, for reading it.

    A folder's name that is no UTF-8 stands in it as half surrogates, which cannot be encoded. Escaped like this, the
    policy's own rules refuse it, with words instead of a traceback.
    """
    return text.encode("utf-8", "backslashreplace")


def _branches(root: Path) -> tuple[tuple[str, ...], str]:
    """The branches that a clone knows, its own and those of its remotes, and the one that is checked out."""
    try:
        checkout = checkouts.Checkout.open(root)
    except errors.WrongUse:
        return (), ""
    return checkout.branches()
