"""The objects of a service without a chart: what Kustomize builds of its overlay, or its plain manifests."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, subjects, wording
from hanbae.argo import build_environment, source_files
from hanbae.charts import rendering
from hanbae.planning import directories, image_lists, kustomize, kustomize_parameters
from hanbae.policy import documents, service_paths
from hanbae.repository import keeping, services, trees
from hanbae.rules import application_sources, builds
from hanbae.rules.kustomize import scanning

_OTHERS: Final = ("helm", "plugin", "chart")
"""What a source says that is neither Kustomize's nor a folder of manifests."""
_MINOR: Final = 2


class Output(Struct, frozen=True):
    """The objects of a service in an environment.

    Attributes:
        engine: What made them.
        folder: The folder that Argo CD reads.
        file: The file in it that a person edits first: the kustomization, or the folder itself.
        rendered: The objects, each with the file that it is from where that was asked for.
        manifest: What Kustomize prints; empty of plain manifests.
        image_list: The images that the Application, or a file beside the folder, gives to Kustomize; None for none.
    """

    engine: services.Engine
    folder: str
    file: str
    rendered: rendering.Rendered
    manifest: str = ""
    image_list: image_lists.ImageList | None = None


class Source(Struct, frozen=True):
    """What Argo CD is told of a folder without a chart, files beside it included.

    Attributes:
        engine: What makes objects of it.
        folder: The folder.
        tree: The files, with the kustomization as parameters have changed it.
        directory: How plain manifests are read.
        image_list: As for :class:`Output`.
    """

    engine: services.Engine
    folder: str
    tree: trees.Tree
    directory: documents.Directory | None = None
    image_list: image_lists.ImageList | None = None


def source(
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
    *,
    written: application_sources.Written | None = None,
) -> Source:
    """What Argo CD is told of a service without a chart.

    Args:
        policy: The policy, located in the tree.
        tree: The files of the repository.
        service: The service.
        environment: The environment.
        written: What the Application says; None to look for it among the files.

    Raises:
        hanbae.errors.FileFault: There is nothing for the environment; the Application, or a file beside the folder,
            asks for what is not supported.
    """
    folder = service_paths.chartless_folder(policy.services, service, environment)
    if folder is None or not service_paths.is_in(policy.services, service, environment):
        where = folder or service_paths.place(policy.services, service).own
        facts = {"service": service, "environment": environment}
        raise errors.FileFault("manifests.none", place=subjects.Place(where), **facts)
    if written is None:
        written = application_sources.in_files(policy, tree, service, environment)
    patches = list(source_files.read(tree, folder, written.application))
    merged = source_files.merged(patches, written.source)
    asks = _Asks(written, patches[-1].path if patches else "", folder)
    engine = services.engine(policy, tree, service, environment)
    options = service_paths.directory(policy.services, service)
    if merged.get("directory"):
        # As for Argo CD: a source that says `directory` is one, whatever is in the folder.
        engine, options = "directory", _options(merged["directory"], options, asks)
    others = (*_OTHERS, "kustomize") if engine == "directory" else _OTHERS
    for other in others:
        if merged.get(other):
            raise asks.refused(other)
    parameters = merged.get("kustomize")
    if engine == "kustomize" and isinstance(parameters, dict) and parameters:
        variables = application_sources.variables(
            policy, service, environment, written=written, commit=trees.commit_of(tree)
        )
        tree = _with_parameters(tree, folder, parameters, asks, variables)
    return Source(engine, folder, tree, options, image_lists.of(patches, written))


class _Asks(Struct, frozen=True):
    """Who asks for parameters: an Application in git or in the cluster, or the last of the files beside the folder."""

    written: application_sources.Written
    file: str
    folder: str

    def refused(self, name: str) -> errors.FileFault:
        """The fault of a parameter that hanbae does not know."""
        if self.file:
            return errors.FileFault(
                "manifests.parameter", place=subjects.Place(self.file), name=name
            )
        place, facts = self.written.place, {"name": name, "application": self.written.application}
        if place is not None:
            return errors.FileFault("manifests.application-parameter", place=place, **facts)
        place = subjects.Place(self.folder)
        return errors.FileFault("manifests.live-parameter", place=place, **facts)


def _with_parameters(
    tree: trees.Tree,
    folder: str,
    parameters: Mapping[str, Any],
    asks: _Asks,
    variables: Mapping[str, str],
) -> trees.Tree:
    file = scanning.named(tree, folder) or folder
    changed = kustomize_parameters.applied(
        tree.read(file) or b"",
        parameters,
        file=file,
        refused=asks.refused,
        expanded=lambda text: build_environment.expanded(text, variables),
        has_folder=lambda name: bool(tree.files(posixpath.normpath(f"{folder}/{name}"))),
    )
    return trees.Overlaid(tree, {file: changed})


async def make(
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
    *,
    origins: bool = False,
    cache: keeping.Cache | None = None,
    written: application_sources.Written | None = None,
) -> Output:
    """The objects of a service without a chart, as Argo CD makes them.

    Args:
        policy: The policy, located in the tree.
        tree: The files of the repository.
        service: The service.
        environment: The environment.
        origins: Whether the file of each object that Kustomize builds is wanted; they may be in another order then.
        cache: What was built in earlier runs; None to build anew.
        written: What the Application says; None to look for it among the files.

    Raises:
        hanbae.errors.FileFault: There is nothing for the environment, it may not be built, or its build fails.
        hanbae.errors.WrongUse: There is no Kustomize here.
    """
    origin = source(policy, tree, service, environment, written=written)
    folder = origin.folder
    if origin.engine == "directory":
        manifests = directories.read(origin.tree, folder, origin.directory)
        return Output(origin.engine, folder, folder, rendering.Rendered({}, manifests))
    file = scanning.named(origin.tree, folder) or folder
    rendered, output = await kustomized(origin.tree, folder, origins=origins, cache=cache)
    return Output("kustomize", folder, file, rendered, output, origin.image_list)


async def kustomized(
    tree: trees.Tree, folder: str, *, origins: bool = False, cache: keeping.Cache | None = None
) -> tuple[rendering.Rendered, str]:
    """What Kustomize builds of a folder, and what it prints.

    Args:
        tree: The files of the repository.
        folder: The folder of a kustomization.
        origins: Whether the file of each object is wanted; they may be in another order then.
        cache: What was built in earlier runs; None to build anew.

    Raises:
        hanbae.errors.FileFault: It may not be built, or its build fails.
        hanbae.errors.WrongUse: There is no Kustomize here.
    """
    file = scanning.named(tree, folder) or folder
    scan = scanning.scan(tree, folder)
    if scan.refusals:
        raise _refused(scan.refusals[0])
    error, output = scan.fault, b""
    if not error:
        command = kustomize.program()
        if not command:
            raise errors.WrongUse("manifests.no-kustomize", place=subjects.Place(file))
        output, error = await kustomize.output(command, scan.files, folder, cache, origins=origins)
    if error:
        raise errors.FileFault("manifests.not-built", place=subjects.Place(file), error=error)
    try:
        documents_ = [document for document in libyaml.load_all(output) if document is not None]
    except libyaml.Fault as fault:
        facts = {"problem": str(fault)[:200]}
        raise errors.FileFault(
            "manifests.unreadable", place=subjects.Place(file), **facts
        ) from fault
    manifests = tuple(_manifest(document, file, origins) for document in documents_)
    rendered = rendering.Rendered({}, manifests, notes=_other_version())
    return rendered, output.decode("utf-8", "replace")


def _options(settings: Any, own: documents.Directory | None, asks: _Asks) -> documents.Directory:
    """What ``spec.source.directory`` says once a file beside the manifests was merged into it."""
    own = own or documents.Directory()
    if not isinstance(settings, dict):
        raise asks.refused("directory")
    for key in ("jsonnet", "disableExtensionFilter"):
        if settings.get(key):
            raise asks.refused(f"directory.{key}")
    return documents.Directory(
        recurse=bool(settings.get("recurse", own.recurse)),
        include=str(settings.get("include", own.include)),
        exclude=str(settings.get("exclude", own.exclude)),
    )


def _manifest(document: Any, file: str, origins: bool) -> rendering.Manifest:
    is_object = isinstance(document, dict) and isinstance(document.get("kind"), str)
    if not is_object or not isinstance(document.get("metadata") or {}, dict):
        raise errors.FileFault("manifests.no-object", place=subjects.Place(file))
    metadata = document.get("metadata")
    template = kustomize.origin(metadata) if origins and isinstance(metadata, dict) else ""
    return rendering.Manifest(template or file, document)


def _refused(refusal: builds.Refusal) -> errors.FileFault:
    text_id = f"manifests.refused-{refusal.variant}"
    return errors.FileFault(text_id, place=refusal.place, value=refusal.value)


def _other_version() -> tuple[wording.Text, ...]:
    """That Argo CD builds with another Kustomize, where the minor version is another one."""
    own = kustomize.version()
    if not own or own.split(".")[:_MINOR] == kustomize.ARGO_CD.split(".")[:_MINOR]:
        return ()
    facts = {"own": own, "program": kustomize.program()[0], "argocd": kustomize.ARGO_CD}
    return (wording.Text("manifests.other-kustomize", facts),)
