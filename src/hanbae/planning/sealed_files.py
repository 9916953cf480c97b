"""The files that hold sealed values, with a chart or without: found, and changed all together or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from hanbae import errors, files, foreign_json, libyaml, subjects
from hanbae.charts import values
from hanbae.policy import boundaries, documents, loading, naming, service_paths
from hanbae.repository import services
from hanbae.sealing import encrypting, pins

if TYPE_CHECKING:
    from hanbae.repository import trees

Changes = Mapping[tuple[str, ...], str]
"""Paths as :mod:`hanbae.sealing.pins` has them → text."""
SECTION: Final = pins.DATA[:1]
"""Where a values file has what is sealed."""


class SealedFile(Struct, frozen=True):
    """The sealed values of a service in an environment, in the file that they are in.

    Attributes:
        service: The service.
        environment: The environment.
        path: The file, from the repository's root.
        section: What is sealed, and what is remembered of certificates, as :mod:`hanbae.sealing.pins` has it.
        namespace: Namespace of the Secret that the values are bound to.
        secret: Its name.
        place: Where the file remembers its certificate; the file itself where it does not.
        chartless: Whether the file is a SealedSecret; else a chart's values.
        scope: How a SealedSecret of a chart's template is bound; empty for another file, which goes by the policy.
    """

    service: str
    environment: str
    path: str
    section: Mapping[str, Any]
    namespace: str
    secret: str
    place: subjects.Place
    chartless: bool
    scope: encrypting.Scope | Literal[""] = ""

    @property
    def remembered(self) -> str:
        """Fingerprint of the certificate that the next value is sealed for; empty where none is remembered."""
        return str(self.section.get(pins.CERTIFICATE[1]) or "")

    @property
    def ciphertexts(self) -> dict[str, Any]:
        """The sealed values by key; anything may stand in their place."""
        data = self.section.get(pins.DATA[1])
        return {str(key): value for key, value in data.items()} if isinstance(data, dict) else {}


class Update(Struct, frozen=True):
    """What is to change in a file.

    Attributes:
        file: The file as it was read.
        changes: What is set.
    """

    file: SealedFile
    changes: Changes


def refuse_store(loaded: loading.Loaded) -> None:
    """Refuse to seal where the policy says that values are in a store, and git only refers to them.

    Raises:
        hanbae.errors.Refused: It says so.
    """
    if loaded.policy.secrets.are_external:
        raise errors.Refused("seal.in-a-store", place=loaded.place("secrets.provider"))


def find(loaded: loading.Loaded, service: str, environment: str) -> SealedFile | None:
    """The file with a service's sealed values; None where the service is not in the environment, or has none there.

    Raises:
        hanbae.errors.FileFault: The file cannot be read.
    """
    policy = loaded.policy
    namespace = naming.namespace(policy, service, environment)
    secret = naming.secret(policy, service, environment)
    if service_paths.has_no_chart(policy.services, service):
        if not service_paths.is_in(policy.services, service, environment):
            return None
        from hanbae.planning import sealed_manifests  # only who has no chart waits for it
        from hanbae.repository import trees

        tree = trees.WorkingTree(loaded.root)
        sealed = sealed_manifests.present(policy, tree, service, environment)
        if sealed is None:
            return None
        place = subjects.Place(sealed.path)
        return SealedFile(
            service, environment, sealed.path, sealed.section, namespace, secret, place, True
        )
    path, file = services.values_file(loaded, service, environment)
    if not path.is_file():
        return None
    document = values.read(path, file)
    section = document.get(SECTION)
    is_pinned = bool(document.get(pins.CERTIFICATE))
    place = document.place(pins.CERTIFICATE) if is_pinned else subjects.Place(file)
    return SealedFile(
        service,
        environment,
        file,
        section if isinstance(section, dict) else {},
        namespace,
        secret,
        place,
        False,
    )


def of_tree(
    policy: documents.Policy, tree: trees.Tree, service: str, environment: str
) -> SealedFile | None:
    """As :func:`find`, of a revision.

    Args:
        policy: The policy, located in the tree.
        tree: The revision's files.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.FileFault: The file cannot be read.
    """
    namespace = naming.namespace(policy, service, environment)
    secret = naming.secret(policy, service, environment)
    chartless = service_paths.has_no_chart(policy.services, service)
    if chartless:
        if not service_paths.is_in(policy.services, service, environment):
            return None
        from hanbae.planning import sealed_manifests

        sealed = sealed_manifests.present(policy, tree, service, environment)
        if sealed is None:
            return None
        path = sealed.path
        part: Mapping[str, Any] = sealed.section
    else:
        path = str(naming.values_file(policy, service, environment))
        part = _section(tree.read(path) or b"", path)
    place = subjects.Place(path)
    return SealedFile(service, environment, path, part, namespace, secret, place, chartless)


def _section(data: bytes, path: str) -> Mapping[str, Any]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.FileFault("values.not-utf8", place=subjects.Place(path)) from error
    section = values.Values.parse(text, path).get(SECTION)
    return section if isinstance(section, dict) else {}


def section_of(data: bytes, *, chartless: bool) -> Mapping[str, Any]:
    """What a file's content has sealed; nothing where it cannot be read."""
    content = libyaml.mapping(data) or {}
    if chartless:
        from hanbae.planning import sealed_manifests

        return sealed_manifests.section(content)
    section = content.get(SECTION[0])
    return section if isinstance(section, dict) else {}


def write(loaded: loading.Loaded, updates: Sequence[Update]) -> None:
    """Change files, all or none: what is refused in one of them leaves the others as they were.

    Raises:
        hanbae.errors.FileFault: A file is built so that this cannot be done without changing more than that, or cannot
            be written.
        hanbae.errors.Refused: A value that is replaced has changed since it was read.
    """
    paths = {loaded.root / update.file.path: update.file.path for update in updates}
    # Under the lock each file is read again, and what the caller has read before is compared with
    # that. Nothing is written before all of them have been taken.
    with values.locked(paths):
        texts: dict[Path, tuple[str, str]] = {}
        for update in updates:
            path = loaded.root / update.file.path
            if update.file.scope:
                texts[path] = (
                    update.file.path,
                    _in_template(loaded, update, path, texts.get(path)),
                )
                continue
            document = values.read(path, update.file.path)
            _refuse_changed(update, document)
            apply(loaded, update, document)
            texts[path] = (update.file.path, document.text())
        values.replace_all(texts)


def _in_template(
    loaded: loading.Loaded, update: Update, path: Path, present: tuple[str, str] | None
) -> str:
    """What a template becomes, of what it is or already becomes."""
    from hanbae.planning import sealed_templates

    file = update.file
    if boundaries.inside(loaded.root, path) is None:
        raise errors.FileFault("placing.outside", place=file.place)
    text = present[1] if present else values.text_of(path, file.path)
    before = file.ciphertexts
    return sealed_templates.spliced(
        text,
        file.path,
        ((key[-1], before[key[-1]], after) for key, after in update.changes.items()),
    )


def apply(loaded: loading.Loaded, update: Update, document: values.Values) -> None:
    """Change the text of a file."""
    if update.file.chartless:
        from hanbae.planning import sealed_manifests

        sealed_manifests.update(document, update.changes)
    else:
        update_values(loaded, update.file.service, document, update.changes)


def update_values(
    loaded: loading.Loaded, service: str, document: values.Values, changes: Changes
) -> None:
    """Change a chart's values; what they remember of certificates, where the chart's schema has room for it."""
    document.update(
        {
            **below(changes, pins.CERTIFICATE),
            **_allowed(loaded, service, pins.PINS, below(changes, pins.PINS)),
            **_allowed(loaded, service, pins.SOURCES, below(changes, pins.SOURCES)),
            **below(changes, pins.DATA),
        }
    )


def below(changes: Changes, section: tuple[str, str]) -> dict[tuple[str, ...], str]:
    """Those of some changes that are in a section."""
    return {path: text for path, text in changes.items() if path[:2] == section}


def _refuse_changed(update: Update, document: values.Values) -> None:
    """Whoever sealed a new value meanwhile must not get the old one back."""
    data = pins.DATA
    if update.file.chartless:
        from hanbae.planning import sealed_manifests

        data = sealed_manifests.DATA
    before = update.file.ciphertexts
    for path in below(update.changes, pins.DATA):
        if document.get((*data, path[-1])) != before.get(path[-1]):
            place = document.place((*data, path[-1]))
            raise errors.Refused("seal.changed-meanwhile", place=place, key=path[-1])


def _allowed(
    loaded: loading.Loaded, service: str, section: tuple[str, str], changes: Changes
) -> Changes:
    """Changes in a section of the values, where the chart's schema has room for it."""
    if not changes:
        return {}
    path = loaded.root / naming.chart(loaded.policy, service) / "values.schema.json"
    try:
        data = files.ordinary(path, most=values.LARGEST_FILE)
        schema = foreign_json.decode(data or b"")
    except (OSError, foreign_json.Fault):
        schema = None  # none, or one that every rendering complains of
    return changes if pins.takes(schema, section) else {}
