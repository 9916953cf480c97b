"""Which values make the image of a container, whatever the chart calls them.

Templates put an image together as they like, so they are asked: the values that may have to do with it are marked, the
chart is rendered again, and where a mark comes out says what its value is. Digests are marked in a rendering of
their own, because many charts leave the tag out where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, patterns
from hanbae.charts import pools, rendering
from hanbae.images import references
from hanbae.planning import forecasting
from hanbae.policy import folders
from hanbae.releases import key_words
from hanbae.repository import trees

Path = tuple[str, ...]
Container = tuple[str, str, str]
"""Kind and name of what makes the pod, and the container's name."""

_LATE: Final = frozenset({"tag", "digest", "sha", "sha256", "version"})
"""Words in keys that charts leave empty, or out, until an image is named."""
_CONCERNED: Final = _LATE | {"image", "images", "img", "repo", "repository", "registry"}
_UNCONCERNED: Final = frozenset({"policy", "secret", "secrets", "credentials", "port"})
_DIGEST: Final = frozenset({"digest", "sha", "sha256"})
_READ: Final = patterns.lazy(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*){1,8})")
# Where a schema refuses the marks together, each is rendered alone: this bounds the renderings of one chart too.
_MOST: Final = 400
_LONGEST: Final = 300
_DEEPEST: Final = 8


class Keys(Struct, frozen=True):
    """The values that make an image; a part without a value is written in a template.

    Attributes:
        whole: The one that holds all of it.
        registry: The host.
        repository: The path, with the host where `registry` is None.
        tag: The tag.
        digest: The digest.
        alone: Whether the tag is rendered in images only, so that a digest may stand behind it.
    """

    whole: Path | None = None
    registry: Path | None = None
    repository: Path | None = None
    tag: Path | None = None
    digest: Path | None = None
    alone: bool = True

    @property
    def paths(self) -> tuple[Path, ...]:
        """Those that there are."""
        every = (self.whole, self.registry, self.repository, self.tag, self.digest)
        return tuple(path for path in every if path is not None)


class Source(Struct, frozen=True):
    """A container's image and where it is from.

    Attributes:
        container: The container.
        reference: The image as it is rendered; empty where it is only rendered once an image is named.
        keys: The values that make it.
        init: Whether it runs before others in its pod, or in a Job.
    """

    container: Container
    reference: str
    keys: Keys
    init: bool


async def of(
    pool: pools.Pool, tree: trees.Tree, chart: str, request: pools.Release
) -> tuple[Source, ...]:
    """The images of a release with the values that make them.

    Args:
        pool: Renders.
        tree: The files.
        chart: The chart's folder.
        request: The release.

    Raises:
        hanbae.errors.FileFault: The chart does not render.
    """
    # One rendering is enough: whether it is another one under another Helm or cluster is for a check to find.
    request = request.alone
    (answer,) = await rendering.answers(pool, tree, chart, [request])
    rendered = rendering.rendered(answer, chart=chart, values_files=request.values_files)
    before = images(rendered)
    marks = _marks(rendered.values, set(before.values()), _templates(tree, chart))
    answers = await _marked(pool, tree, chart, request, marks)
    return tuple(_read(before, answers, marks))


def images(rendered: rendering.Rendered) -> dict[Container, str]:
    """Container → image of everything that makes pods."""
    return {
        _container(manifest.object, container): str(container.get("image") or "")
        for manifest in rendered.manifests
        for container in forecasting.containers(manifest.object)
    }


def _container(manifest: Mapping[str, Any], container: Mapping[str, Any]) -> Container:
    metadata = manifest.get("metadata") or {}
    name = metadata.get("name") or metadata.get("generateName") or ""
    return str(manifest.get("kind")), str(name), str(container.get("name") or "")


def _templates(tree: trees.Tree, chart: str) -> Iterator[str]:
    for path in tree.files(folders.path(chart, "templates")):
        yield (tree.read(path) or b"").decode("utf-8", "replace")


def _marks(
    values: Mapping[str, Any], references_: set[str], templates: Iterator[str]
) -> dict[Path, str]:
    """Values that may have to do with an image, each with a text that shows where it comes out."""
    leaves = dict(_leaves(values, ()))
    for text in templates:
        for match in _READ.finditer(text):
            path = tuple(match[1][1:].split("."))
            # A template may read `.Values.image.digest` although values.yaml has no such key: then
            # it gets an empty one.
            if _has(path[-1], _LATE) and path not in leaves and _has_room(values, path):
                leaves[path] = ""
    concerned = [
        (path, text)
        for path, text in leaves.items()
        if len(text) <= _LONGEST
        and not _has(path[-1], _UNCONCERNED)
        and _may_concern(path, text, references_)
    ]
    return {path: _mark(path, text, n) for n, (path, text) in enumerate(concerned[:_MOST])}


def _has(key: str, words: frozenset[str]) -> bool:
    """Whether one of some words is in a key: ``imageTag`` has ``tag``, ``percentage`` has not."""
    return not words.isdisjoint(key_words.split(key))


def _may_concern(path: Path, text: str, references_: set[str]) -> bool:
    """Whether a value may have to do with an image; of empty ones, those that are mostly filled later."""
    if not text:
        # An empty registry, or one for all charts, is no place for the image of one service.
        return _has(path[-1], _LATE) and path[0] != "global"
    concerned = any(_has(key, _CONCERNED) for key in path[-2:])
    return concerned or any(text in reference for reference in references_)


def _has_room(values: Mapping[str, Any], path: Path) -> bool:
    node: Any = values
    for key in path[:-1]:
        node = node.get(key, {}) if isinstance(node, Mapping) else None
    return isinstance(node, Mapping) and path[-1] not in node


def _leaves(node: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    for key, value in node.items():
        own = (*path, str(key))
        if isinstance(value, Mapping) and len(own) < _DEEPEST:
            yield from _leaves(value, own)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            yield own, str(value)
        elif value is None:
            yield own, ""


def _is_digest(path: Path, text: str) -> bool:
    return text.startswith("sha256:") or _has(path[-1], _DIGEST)


def _mark(path: Path, text: str, number: int) -> str:
    if _is_digest(path, text):
        # 64 hexadecimal digits, so that a schema or a template takes it for a digest.
        return f"sha256:{number:04x}{'5eed' * 15}"
    return f"{text}-hb{number:04d}m" if text else f"hb{number:04d}m"


async def _marked(
    pool: pools.Pool,
    tree: trees.Tree,
    chart: str,
    request: pools.Release,
    marks: Mapping[Path, str],
) -> list[rendering.Rendered]:
    """The renderings with marks: tags together and digests together; each alone where a schema refuses that."""
    digests = {path: mark for path, mark in marks.items() if mark.startswith("sha256:")}
    texts = {path: mark for path, mark in marks.items() if path not in digests}
    renderings: list[rendering.Rendered] = []
    for together in filter(None, (texts, digests)):
        (answer,) = await rendering.answers(pool, tree, chart, [_with(request, together)])
        if not _is_rendered(answer):
            # A schema or a template refuses one of the marks; each alone tells which.
            singly = [_with(request, {path: mark}) for path, mark in together.items()]
            answers = await rendering.answers(pool, tree, chart, singly)
            marked = {
                path: mark
                for (path, mark), single in zip(together.items(), answers, strict=True)
                if _is_rendered(single)
            }
            (answer,) = await rendering.answers(pool, tree, chart, [_with(request, marked)])
        if _is_rendered(answer):
            renderings.append(rendering.rendered(answer, chart=chart))
    return renderings


def _is_rendered(answer: pools.Answer) -> bool:
    return answer.error is None and not answer.schema and answer.beyond is None


def _with(request: pools.Release, marks: Mapping[Path, str]) -> pools.Release:
    layer: dict[str, Any] = {}
    for path, mark in marks.items():
        node = layer
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = mark
    return msgspec.structs.replace(request, values=(*request.values, msgspec.json.encode(layer)))


def _read(
    before: Mapping[Container, str],
    renderings: Sequence[rendering.Rendered],
    marks: Mapping[Path, str],
) -> Iterator[Source]:
    parts: dict[Container, dict[str, Path]] = {}
    for rendered in renderings:
        for container, reference in images(rendered).items():
            own = parts.setdefault(container, {})
            for path, mark in marks.items():
                if mark in reference:
                    own.setdefault(_part(reference, mark), path)
    elsewhere = {
        path for path, mark in marks.items() if any(_is_elsewhere(r, mark) for r in renderings)
    }
    for container, own in parts.items():
        if not own:
            continue
        keys = Keys(**own, alone=own.get("tag") not in elsewhere)
        if keys.whole is not None:
            # A value that is all of the image leaves nothing for the others to say.
            keys = Keys(whole=keys.whole)
        yield Source(container, before.get(container, ""), keys, container[0] in ("Job", "CronJob"))


def _part(reference: str, mark: str) -> str:
    """Which part of an image a mark is."""
    if mark.startswith("sha256:"):
        return "digest"
    start = reference.index(mark)
    end = start + len(mark)
    slash = reference.rfind("/")
    colon = reference.find(":", slash + 1)
    if colon >= 0 and start > colon:
        return "tag"
    # A mark with the colon in it: the value has a repository and a tag.
    if colon >= 0 and end > colon:
        return "whole"
    if end == len(reference) and start == 0:
        return "whole"
    return "registry" if start == 0 and reference[end : end + 1] == "/" else "repository"


def _is_elsewhere(rendered: rendering.Rendered, mark: str) -> bool:
    """Whether a mark comes out anywhere but as an image, such as in a label, which takes no ``@``."""
    counted = sum(mark in reference for reference in images(rendered).values())
    text = msgspec.json.encode([manifest.object for manifest in rendered.manifests]).decode()
    return text.count(mark) > counted


def changes(keys: Keys, reference: references.Reference) -> dict[Path, str]:
    """The values that make a container run an image.

    Args:
        keys: The values that make its image.
        reference: The image.
    """
    if keys.whole is not None:
        return {keys.whole: str(reference)}
    changed: dict[Path, str] = {}
    path = reference.repository
    if keys.registry is not None:
        changed[keys.registry], path = reference.host, reference.path
    if keys.repository is not None:
        changed[keys.repository] = path
    if keys.tag is not None:
        behind = reference.digest and keys.digest is None and keys.alone and reference.tag
        changed[keys.tag] = f"{reference.tag}@{reference.digest}" if behind else reference.tag
    if keys.digest is not None:
        changed[keys.digest] = reference.digest
    return changed


def chosen(sources: Sequence[Source], service: str, repository: str) -> tuple[Source, ...]:
    """The containers that run a service's own image, those of one pod's server first.

    Args:
        sources: The images of its release.
        service: The service.
        repository: The repository of the image that it shall run; empty where that is to be learned.

    Raises:
        hanbae.errors.Refused: No value makes an image, or several do and nothing says which is the service's.
    """
    made_of_values = [source for source in sources if source.keys.paths]
    if not made_of_values:
        raise errors.Refused("image.no-key", service=service, images=_listed(sources))
    same = [source for source in made_of_values if repository and _repository(source) == repository]
    running = [source for source in made_of_values if not source.init] or made_of_values
    own = [source for source in running if _is_called(source, service)]
    # The surest first: the repository that is asked for, then what runs as a server, then what is called
    # like the service. Only of the first may there be several values, since all of them name the same image.
    for candidates in (same, running, own):
        groups = {source.keys for source in candidates}
        if groups and (len(groups) == 1 or candidates is same):
            return tuple(source for source in made_of_values if source.keys in groups)
    raise errors.Refused("image.several-keys", service=service, images=_listed(made_of_values))


def _repository(source: Source) -> str:
    try:
        return references.parse(source.reference).repository
    except errors.WrongUse:
        return ""


def _is_called(source: Source, service: str) -> bool:
    """Whether a container, or its image, is called after the service."""
    last = source.reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return service in (source.container[2], last) or source.container[2] == "app"


def _listed(sources: Sequence[Source]) -> str:
    return ", ".join(sorted({source.reference for source in sources if source.reference})) or "-"


def is_image(rendered: str, reference: references.Reference, keys: Keys) -> bool:
    """Whether a container runs an image; without its digest where no value takes one.

    Args:
        rendered: The image as it is rendered.
        reference: The image.
        keys: The values that make it.
    """
    try:
        theirs = references.parse(rendered)
    except errors.WrongUse:
        return False
    if theirs.repository != reference.repository:
        return False
    if reference.digest and theirs.digest:
        return theirs.digest == reference.digest
    takes_digest = keys.whole is not None or keys.digest is not None or keys.alone
    # The digest had somewhere to go, so a reference without one is another image.
    if reference.digest and takes_digest and reference.tag:
        return False
    return bool(reference.tag) and (theirs.tag, theirs.digest) == (reference.tag, "")
