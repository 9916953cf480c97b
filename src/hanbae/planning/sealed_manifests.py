"""The SealedSecret of a service without a chart: the file that it is in, and what is remembered of its certificates."""

from __future__ import annotations

import itertools
import json
import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, subjects
from hanbae.charts import block_lists, values
from hanbae.policy import documents, folders, labels, naming
from hanbae.repository import trees
from hanbae.sealing import objects, pins

if TYPE_CHECKING:
    from hanbae.planning import manifests

ANNOTATIONS: Final = ("metadata", "annotations")
DATA: Final = ("spec", "encryptedData")
_OF_PINS: Final = {
    pins.CERTIFICATE[1]: labels.CERTIFICATE,
    pins.PINS[1]: labels.CERTIFICATES,
    pins.SOURCES[1]: labels.CERTIFICATE_SOURCES,
}


class Sealed(Struct, frozen=True):
    """The SealedSecret of a service in an environment.

    Attributes:
        path: Its file, from the repository's root.
        text: The file's text; of one that is not there, a SealedSecret with nothing in it.
        there: Whether the file is there.
        beside: The kustomization that must name the file as it would be then: path and text; None where none has to.
    """

    path: str
    text: str
    there: bool
    beside: tuple[str, str] | None = None

    @property
    def section(self) -> dict[str, Any]:
        """What is sealed, and what is remembered of certificates, as :mod:`hanbae.sealing.pins` has it."""
        return section(libyaml.mapping(self.text) or {})


def present(
    policy: documents.Policy, tree: trees.Tree, service: str, environment: str
) -> Sealed | None:
    """The SealedSecret that is the service's own; None where there is none.

    Args:
        policy: The policy, located in the tree.
        tree: The files.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.FileFault: There is nothing for the environment, or a file that may hold it cannot be read.
    """
    from hanbae.planning import manifests

    source = manifests.source(policy, tree, service, environment)
    return _among(source, naming.secret(policy, service, environment))


def find(policy: documents.Policy, tree: trees.Tree, service: str, environment: str) -> Sealed:
    """The SealedSecret that is the service's own; where there is none, what it would be.

    Args:
        policy: The policy, located in the tree.
        tree: The files.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.FileFault: As :func:`present`; or the kustomization cannot be changed.
    """
    from hanbae.planning import manifests  # only who has no chart waits for what builds overlays
    from hanbae.rules.kustomize import scanning

    source = manifests.source(policy, tree, service, environment)
    sealed = _among(source, naming.secret(policy, service, environment))
    if sealed is not None:
        return sealed
    listed = tree.files(source.folder)
    # What is there by a name holds something else, such as credentials of a registry.
    paths = (folders.path(source.folder, name) for name in _names())
    path = next(path for path in paths if path not in listed)
    beside = None
    if source.engine == "kustomize":
        file = scanning.named(tree, source.folder) or ""
        text = (tree.read(file) or b"").decode("utf-8", "replace")
        name = posixpath.basename(path)
        beside = file, block_lists.edited(text, "resources", file, added=[[name]])
    return Sealed(path, _empty(policy, service, environment), there=False, beside=beside)


def _among(source: manifests.Source, secret: str) -> Sealed | None:
    for path in _files(source):
        data = source.tree.read(path) or b""
        # A look at the bytes spares the parsing of all other manifests.
        if objects.KIND.encode() not in data:
            continue
        content = libyaml.mapping(data)
        if content is None:
            _refuse_broken(data, path)
        metadata = content.get("metadata") if content is not None else None
        if isinstance(metadata, Mapping) and metadata.get("name") == secret:
            return Sealed(path, data.decode("utf-8", "replace"), there=True)
    return None


def _refuse_broken(data: bytes, path: str) -> None:
    """What cannot be read may be the service's own; a file of several documents is not."""
    try:
        for _ in libyaml.load_all(data):
            pass
    except libyaml.Fault as fault:
        place = subjects.Place(path, fault.line, fault.column)
        raise errors.FileFault("values.syntax", place=place, problem=str(fault)) from fault


def _names() -> Iterator[str]:
    yield "sealedsecret.yaml"
    yield "sealedsecret-hanbae.yaml"
    yield from (f"sealedsecret-hanbae-{number}.yaml" for number in itertools.count(2))


def _files(source: manifests.Source) -> Iterator[str]:
    """The environment's own files: what several environments share holds no secret of one."""
    from hanbae.planning import directories
    from hanbae.rules.kustomize import scanning

    if source.engine == "kustomize":
        read = scanning.scan(source.tree, source.folder).files
        return (path for path in read if folders.holds(source.folder, path))
    return directories.files(source.tree, source.folder, source.directory or documents.Directory())


def _empty(policy: documents.Policy, service: str, environment: str) -> str:
    scope = objects.ANNOTATIONS.get(policy.secrets.scope, "")
    marks = [f'    argocd.argoproj.io/sync-wave: "{policy.secrets.wave}"']
    marks += [f'    {scope}: "true"'] if scope else []
    template = ["  template:", "    metadata:", "      annotations:", f'        {scope}: "true"']
    return "\n".join(
        [
            "apiVersion: bitnami.com/v1alpha1",
            f"kind: {objects.KIND}",
            "metadata:",
            f"  name: {naming.secret(policy, service, environment)}",
            f"  namespace: {naming.namespace(policy, service, environment)}",
            "  annotations:",
            *marks,
            "spec:",
            "  encryptedData: {}",
            *(template if scope else []),
            "",
        ]
    )


def section(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a SealedSecret holds, as a chart's values have it.

    Args:
        content: The SealedSecret.
    """
    spec, metadata = content.get("spec"), content.get("metadata")
    data = spec.get(DATA[1]) if isinstance(spec, Mapping) else None
    marks = metadata.get(ANNOTATIONS[1]) if isinstance(metadata, Mapping) else None
    read: dict[str, Any] = {pins.DATA[1]: data if isinstance(data, dict) else {}}
    for key, name in _OF_PINS.items():
        text = marks.get(name) if isinstance(marks, Mapping) else None
        if isinstance(text, str):
            is_text = key == pins.CERTIFICATE[1]
            read[key] = text if is_text else libyaml.mapping(text) or {}
    return read


def update(document: values.Values, changes: Mapping[tuple[str, ...], str]) -> None:
    """Change a SealedSecret.

    Args:
        document: The SealedSecret.
        changes: Paths as :mod:`hanbae.sealing.pins` has them → text.

    Raises:
        hanbae.errors.FileFault: The file is built so that this cannot be done without changing more than that.
    """
    remembered = section(document.data)
    edits: dict[tuple[str, ...], str] = {}
    for (_, part, *rest), text in changes.items():
        if part == pins.DATA[1]:
            edits[(*DATA, *rest)] = text
        elif rest:
            own = remembered[part] = {**(remembered.get(part) or {}), rest[0]: text}
            edits[(*ANNOTATIONS, _OF_PINS[part])] = json.dumps(own, sort_keys=True)
        else:
            edits[(*ANNOTATIONS, _OF_PINS[part])] = text
    document.update(edits)


def remove(document: values.Values, keys: Collection[str]) -> None:
    """Take sealed values out of a SealedSecret, and what is remembered of their certificates.

    Raises:
        hanbae.errors.FileFault: As :func:`update`.
    """
    document.remove([(*DATA, key) for key in keys])
    own = section(document.data).get(pins.PINS[1]) or {}
    remaining = {key: pin for key, pin in own.items() if key not in keys}
    if remaining != own:
        path = (*ANNOTATIONS, _OF_PINS[pins.PINS[1]])
        document.update({path: json.dumps(remaining, sort_keys=True)})
