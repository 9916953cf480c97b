"""Reads what rules look at: the policy and the files of a working tree or a revision, and each service rendered."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, patterns, subjects, wording
from hanbae.charts import gathering, pools, rendering
from hanbae.checking import findings_of_rules, rewritten_texts, unbegun
from hanbae.planning import manifests, releases
from hanbae.policy import documents, folders, loading, naming
from hanbae.repository import checkouts, services, trees
from hanbae.results import findings
from hanbae.rules import views

# What Helm says of values; what it says of templates begins with their name.
_OF_VALUES: Final = (
    "cannot unmarshal yaml document",
    "error reading yaml document",
    "values don't meet the specifications of the schema(s)",
)
# How the validation of a chart's schema names a value, by a JSON pointer from the root of the
# values.
_KEY: Final = patterns.lazy(r"- at '(?P<path>/[^']*)'")
_UNKNOWN: Final = patterns.lazy(r"- at '(?P<path>[^']*)': additional properties '(?P<key>[^']*)'")


class RenderedService(Struct, frozen=True):
    """A service as rules see it, and what could not be rendered of it.

    Attributes:
        service: The view.
        faults: Environment → fault, for those whose release did not render.
        missing: A dependency that is neither there nor fetched; then the releases are rendered without it.
        requests: Environment → the release as it was requested, where a chart renders it; without the layer of one
            that has not been begun.
    """

    service: views.Service
    faults: tuple[tuple[str, errors.FileFault], ...] = ()
    missing: errors.FileFault | None = None
    requests: Mapping[str, pools.Release] = {}


def project(
    directory: Path,
    *,
    revision: str | None = None,
    listing: trees.Listing | None = None,
    heads: Mapping[str, str] | None = None,
) -> views.Project:
    """The repository of a folder.

    Args:
        directory: The folder of the policy, or one below it.
        revision: A commit to read instead of the working tree; the policy is read from it as well.
        listing: What another process has found in the working tree; None to look.
        heads: Environment → the commit that another process has found its branch at; None to look.

    Raises:
        hanbae.errors.WrongUse: No policy, or no such revision.
        hanbae.errors.FileFault: The policy has a fault.
    """
    path = loading.find(directory)
    if revision is None:
        loaded = loading.load(path)
        files = trees.WorkingTree(loaded.root, listing)
        policy = services.located(loaded.policy, files)
        names = services.of(policy, files)
        compared = branches(policy, loaded.root, _checkout(files), heads)
        return views.Project(policy, loaded.places, files, names, compared)
    tree = tree_at(path.parent, revision)
    data = tree.read(loading.NAME)
    if data is None:
        raise errors.WrongUse("policy.not-in-revision", revision=revision)
    policy, places = loading.parse(data, loading.NAME)
    policy = services.located(policy, tree)
    compared = branches(policy, path.parent, checkouts.Checkout.open(path.parent), heads)
    return views.Project(policy, places, tree, services.of(policy, tree), compared)


def _checkout(tree: trees.WorkingTree) -> checkouts.Checkout | None:
    """The clone of a working tree, which is not opened once more; None where it is in none."""
    if tree.repository is None:
        return None
    return checkouts.Checkout(tree.repository, Path(tree.repository.workdir).resolve())


def opened(
    directory: Path,
    revision: str | None,
    policy_from: str | None,
    *,
    now: datetime | None = None,
    listing: trees.Listing | None = None,
    heads: Mapping[str, str] | None = None,
) -> tuple[views.Project, views.Project | None]:
    """The repository as it is to be checked, and the one whose policy, baseline and comments count if not its own.

    Args:
        directory: The folder of the policy, or one below it.
        revision: A commit to check instead of the working tree.
        policy_from: A commit whose policy counts; where it has none yet, what is checked brings it, and counts itself.
        now: The time of the check; None for this moment.
        listing: What another process has found in the working tree; None to look.
        heads: Environment → the commit that another process has found its branch at; None to look.
    """
    checked = project(directory, revision=revision, listing=listing, heads=heads)
    base = at_base(directory, policy_from, checked, heads) if policy_from else None
    if base is not None and base.policy is checked.policy:
        base = None  # the commit that brings the policy: nothing could count but what it brings
    if base is not None:
        # Whatever a policy decides is the base's, its branches included; only the files are those
        # that are checked.
        policy = services.located(base.policy, checked.tree)
        names = services.of(policy, checked.tree)
        proposal = views.Proposal(checked.policy, checked.places, base.tree)
        checked = dataclasses.replace(
            base, policy=policy, tree=checked.tree, services=names, proposal=proposal
        )
    if now is not None:
        checked = dataclasses.replace(checked, now=now)
    return checked, base


def at_base(
    directory: Path, revision: str, newer: views.Project, heads: Mapping[str, str] | None = None
) -> views.Project:
    """The repository at a commit before another one; by the other one's policy where the commit has none yet.

    Args:
        directory: The folder of the policy, or one below it.
        revision: The commit.
        newer: The repository at the other one.
        heads: Environment → the commit that another process has found its branch at; None to look.

    Raises:
        hanbae.errors.WrongUse: No such revision.
        hanbae.errors.FileFault: Its policy has a fault.
    """
    tree = tree_at(loading.find(directory).parent, revision)
    if loading.NAME in tree.files() or tree.read(loading.NAME) is not None:
        return project(directory, revision=revision, heads=heads)
    return dataclasses.replace(newer, tree=tree)


def branches(
    policy: documents.Policy,
    root: Path,
    checkout: checkouts.Checkout | None,
    heads: Mapping[str, str] | None = None,
) -> dict[str, trees.Tree]:
    """The heads of the environments' branches, as they were last fetched; nothing is fetched, and little is read.

    Args:
        policy: The policy.
        root: The policy's folder; where it is not the root of the clone, no branch is known.
        checkout: The clone that it is in; None for none.
        heads: Environment → the commit that another process has found its branch at; None to look.
    """
    named = {
        name: settings.branch
        for name, settings in policy.environments.items()
        if settings.branch and (heads is None or name in heads)
    }
    by_environment: dict[str, trees.Tree] = {}
    if checkout is not None and checkout.root == root.resolve():
        for environment, branch in named.items():
            # A clone may lack the remote, or a branch that was never fetched. Rules that compare
            # with it then say nothing.
            with contextlib.suppress(errors.WrongUse):
                # A fetch may have moved it since, to a commit that nobody has looked at for damage.
                commit = (
                    checkout.head(policy.argocd.remote, branch)
                    if heads is None
                    else heads[environment]
                )
                by_environment[environment] = checkout.revision(commit)
    return by_environment


def tree_at(folder: Path, revision: str) -> trees.Tree:
    """The folder of a clone, or one in it, as it is in a commit.

    Raises:
        hanbae.errors.WrongUse: No clone, or no such revision.
    """
    checkout = checkouts.Checkout.open(folder)
    relative = folder.resolve().relative_to(checkout.root).as_posix()
    return trees.Subtree(checkout.revision(revision), "" if relative == "." else relative)


def prefix(tree: trees.Tree) -> str:
    """The path of a tree's root from the clone's root, with a ``/`` at its end; empty for the root itself."""
    return tree.prefix if isinstance(tree, trees.WorkingTree | trees.Subtree) else ""


async def service(
    pool: pools.Pool, project: views.Project, name: str, *, as_written: bool = False
) -> RenderedService:
    """A service, rendered for each environment that it has a values file for.

    Args:
        pool: Renders.
        project: The repository.
        name: The service.
        as_written: As Argo CD renders it, also where it names no image yet; else rules see its pods and Jobs there.

    Raises:
        hanbae.errors.FileFault: Nothing of its chart can be read or rendered.
    """
    policy, tree = project.policy, project.tree
    if name in project.chartless:
        return await _without_chart(project, name)
    view = views.Service(project, name)
    _refuse_submodules(tree, view.chart)
    requests: dict[str, pools.Release] = {}
    for environment in project.environments:
        paths = map(str, naming.values_files(policy, name, environment))
        values = [_values(tree, path) for path in paths]
        contents = [content for content in values if content is not None]
        written = project.shared.written(name, environment)
        # Argo CD renders nothing while a values file is missing, unless the Application says
        # otherwise.
        if len(contents) == len(values) or written.ignores_missing:
            overrides = releases.overrides(
                tree, policy, name, environment, contents, written=written
            )
            requests[environment] = releases.requested(
                tree,
                policy,
                name,
                environment,
                contents,
                overrides=overrides,
                added=project.added,
                cluster=project.served.get(environment),
            )
    if not requests:
        return RenderedService(view)
    missing = None
    listed = list(requests.values())
    try:
        answers = await rendering.answers(pool, tree, view.chart, listed)
    except gathering.Missing as fault:
        missing = fault
        answers = await rendering.answers(pool, tree, view.chart, listed, lenient=True)
    charts: dict[str, tuple[rendering.Rendered, pools.Answer]] = {}
    faults = []
    for environment, answer in zip(requests, answers, strict=True):
        try:
            files = requests[environment].values_files
            rendered = rendering.rendered(answer, chart=view.chart, values_files=files)
            charts[environment] = rendered, answer
        except errors.FileFault as fault:
            faults.append((environment, _at_values(view, environment, fault)))
    unrendered = tuple(environment for environment, _ in faults)
    # A view is immutable, and what did not render is known only now.
    view = views.Service(project, name, {}, unrendered, incomplete=missing is not None)
    for environment, (rendered, answer) in charts.items():
        view.releases[environment] = _release(view, environment, rendered, answer)
    # In this order: texts are compared under the layer with which a release was rendered last.
    if not as_written:
        await _show_unbegun(pool, view, requests)
    await rewritten_texts.add(pool, view, requests)
    # What does not render may only do so for want of what is missing.
    return RenderedService(view, tuple(faults) if missing is None else (), missing, requests)


async def _without_chart(project: views.Project, name: str) -> RenderedService:
    """A service of overlays or plain manifests, in the environments that it is in."""
    releases_: dict[str, manifests.Output] = {}
    faults = []
    for environment, folder in project.chartless[name].items():
        if not project.tree.files(folder):
            continue  # a commit before the one that the policy is from
        try:
            releases_[environment] = await manifests.make(
                project.policy,
                project.tree,
                name,
                environment,
                origins=True,
                written=project.shared.written(name, environment),
            )
        except errors.FileFault as fault:
            faults.append((environment, fault))
    unrendered = tuple(environment for environment, _ in faults)
    view = views.Service(project, name, {}, unrendered, kustomized=True)
    for environment, release in releases_.items():
        fallback = naming.namespace(project.policy, name, environment)
        objects = tuple(
            views.Object(
                manifest.object,
                manifest.template,
                index,
                str((manifest.object.get("metadata") or {}).get("namespace") or fallback),
            )
            for index, manifest in enumerate(release.rendered.manifests)
        )
        view.releases[environment] = views.Release(view, environment, {}, objects)
    return RenderedService(view, tuple(faults))


async def _show_unbegun(
    pool: pools.Pool, view: views.Service, requests: Mapping[str, pools.Release]
) -> None:
    """Render releases that lack nothing but an image once more with one, so that rules see their pods and Jobs.

    What their values say stays what they say: the layer is the check's own.
    """
    tree = view.project.tree
    layers = {
        environment: layer
        for environment, release in view.releases.items()
        if (layer := unbegun.layer(release, tree.read(view.chart_file("Chart.yaml"))))
    }
    if not layers:
        return
    layered = [unbegun.with_layer(requests[name], layer) for name, layer in layers.items()]
    answers = await rendering.answers(pool, tree, view.chart, layered, lenient=view.incomplete)
    for (environment, layer), answer in zip(layers.items(), answers, strict=True):
        written = view.releases[environment].values
        with contextlib.suppress(errors.FileFault):  # then it is looked at as Argo CD would see it
            rendered = rendering.rendered(answer, chart=view.chart)
            release = _release(view, environment, rendered, answer)
            view.releases[environment] = dataclasses.replace(
                release,
                values=written,
                layer=layer,
                alternatives=tuple(
                    dataclasses.replace(alternative, values=written, layer=layer)
                    for alternative in release.alternatives
                ),
            )


def _release(
    view: views.Service, environment: str, rendered: rendering.Rendered, answer: pools.Answer
) -> views.Release:
    """A release as rules see it, with what it is in clusters that have more API versions than is known."""
    namespace = naming.namespace(view.policy, view.name, environment)
    dependences = tuple(
        views.Dependence(
            difference.asked,
            difference.identity,
            difference.objects,
            view.template(difference.template),
        )
        for difference in answer.differences
    )
    alternatives = []
    for alternative in answer.alternatives:
        with contextlib.suppress(
            errors.FileFault
        ):  # objects that no cluster takes are not applied either
            manifests = rendering.manifests(alternative, chart=view.chart)
            objects = tuple(_objects(manifests, view, namespace))
            alternatives.append(
                views.Release(
                    view, environment, rendered.values, objects, assumed=alternative.assumed
                )
            )
    return views.Release(
        view,
        environment,
        rendered.values,
        tuple(_objects(rendered.manifests, view, namespace)),
        dependences,
        alternatives=tuple(alternatives),
        calls=answer.calls,
        sites=frozenset(
            (site.function, view.template(site.template), site.line) for site in answer.sites
        ),
        untried=answer.untried,
    )


def _refuse_submodules(tree: trees.Tree, chart: str) -> None:
    """Refuse a chart that lies in a submodule."""
    parts = [] if folders.is_root(chart) else chart.split("/")
    for cut in range(1, len(parts) + 1):
        # Only reading refuses a submodule; of an ordinary folder it returns None.
        tree.read("/".join(parts[:cut]))


def _values(tree: trees.Tree, path: str) -> bytes | None:
    """A values file; None where there is none."""
    values = tree.read(path)
    # There is a folder of that name.
    if values is None and tree.files(path):
        raise errors.FileFault("values.not-a-file", place=subjects.Place(path))
    if values is not None and not _is_text(values):
        raise errors.FileFault("values.not-utf8", place=subjects.Place(path))
    return values


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _objects(
    manifests: Iterable[rendering.Manifest], view: views.Service, namespace: str
) -> Iterator[views.Object]:
    for index, manifest in enumerate(manifests):
        metadata: Any = manifest.object.get("metadata") or {}
        yield views.Object(
            manifest.object,
            view.template(manifest.template),
            index,
            str(metadata.get("namespace") or namespace),
        )


def _at_values(view: views.Service, environment: str, fault: errors.FileFault) -> errors.FileFault:
    """A fault at the line of the values file that is the reason, where it is one."""
    files = [str(path) for path in naming.values_files(view.policy, view.name, environment)]
    places = [view.values(file).fault for file in files]
    place = next((place for place in places if place is not None), None)
    error = fault.text.facts.get("error", "")
    if place is None and error.startswith(_OF_VALUES):
        place = subjects.Place(str(naming.values_file(view.policy, view.name, environment)))
        # Of a key that the schema does not know, the pointer leads to the mapping around it.
        if unknown := _UNKNOWN.search(error):
            place = view.place_of_value(files, (*_names(unknown["path"]), unknown["key"]))
        elif key := _KEY.search(error):
            place = view.place_of_value(files, _names(key["path"]))
    if place is None:
        return fault
    return errors.FileFault(fault.text.id, place=place, **fault.text.facts)


def _names(pointer: str) -> tuple[str, ...]:
    """The parts of a JSON pointer."""
    return tuple(
        part.replace("~1", "/").replace("~0", "~") for part in pointer.rstrip("/").split("/")[1:]
    )


def as_finding(
    fault: errors.Error, service: str, environments: tuple[str, ...] = ()
) -> findings.Finding:
    """What cannot be read or rendered, as a finding."""
    place = fault.place or subjects.Place("hanbae.yaml")
    finding = findings_of_rules.unreadable(place, fault.text, service, environments)
    if isinstance(fault, gathering.Missing):
        fix = wording.Text("render.dependency-fix")
        return msgspec.structs.replace(finding, fix=fix)
    return finding
