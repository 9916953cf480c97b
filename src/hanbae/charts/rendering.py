"""Renders a chart as Argo CD would, without trusting it.

Helm's own code renders, in a disposable process; see :mod:`hanbae.charts.pools`.
A chart reaches it as a mapping of names to contents, and :mod:`hanbae.charts.gathering` follows no link out of the
repository for it. References in ``values.schema.json`` that would make Helm read files or open connections are refused
there, when they would be followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, masking, patterns, subjects, wording
from hanbae.charts import gathering, pools
from hanbae.policy import folders
from hanbae.repository import trees

_NAMED: Final = patterns.lazy(
    r"(?P<file>(?:charts/[^\s/:]+/)*templates/[^\s:]+):(?:(?P<line>\d+)(?::(?P<column>\d+))?| )"
)
_PLACED_WITHIN: Final = 4096
"""Characters of a message in which its place is looked for; it stands at the beginning, the rest may be a branch's."""
_OF_SCHEMA: Final = "values don't meet the specifications of the schema(s)"
_TEMPLATE: Final = patterns.lazy(r"^[^\s/:]+/(?P<file>(?:charts/[^\s:]+/)?templates/[^\s:]+): ")
_FILE: Final = patterns.lazy(r"error reading (?P<file>\S+): chart exceeds")
_PACKED: Final = patterns.lazy(r"error unpacking subchart (?P<file>[^\s/]+\.tgz) in ")


class Manifest(Struct, frozen=True):
    """One rendered object.

    Attributes:
        template: The chart's file that it comes from.
        object: The object, as the API server would be given it.
    """

    template: str
    object: dict[str, Any]


class Rendered(Struct, frozen=True):
    """A rendered chart.

    Attributes:
        values: The chart's defaults with the given values over them.
        manifests: All objects in the order of ``helm template``: CRDs, manifests as Helm installs kinds, hooks.
        differences: Which of them would be others with another Helm or Kubernetes.
        notes: What else there is to know of how they were made.
    """

    values: dict[str, Any]
    manifests: tuple[Manifest, ...]
    differences: tuple[pools.Difference, ...] = ()
    notes: tuple[wording.Text, ...] = ()

    @property
    def warnings(self) -> tuple[wording.Text, ...]:
        """Why Argo CD may make other objects."""
        return (*(difference.text for difference in self.differences), *self.notes)


async def render(
    tree: trees.Tree,
    chart: str,
    request: pools.Release,
    *,
    limit: float = pools.TIMEOUT,
) -> Rendered:
    """Render a chart folder, in a worker of its own.

    Args:
        tree: The files of the repository.
        chart: The chart's folder; nothing outside the tree is read.
        request: The release.
        limit: Seconds until the worker is ended.

    Raises:
        hanbae.errors.FileFault: The chart does not render, or it may not be rendered.
    """
    async with pools.opened(1) as pool:
        (answer,) = await answers(pool, tree, chart, [request], limit=limit)
    return rendered(answer, chart=chart, values_files=request.values_files)


async def answers(
    pool: pools.Pool,
    tree: trees.Tree,
    chart: str,
    requests: Sequence[pools.Release],
    *,
    changed: Callable[[Mapping[str, bytes]], dict[str, bytes]] = dict,
    texts: bool = False,
    manifest: bool = False,
    printed: bool = False,
    lenient: bool = False,
    limit: float = pools.TIMEOUT,
) -> list[pools.Answer]:
    """Render a chart folder for several releases: the one way, whoever wants it.

    As Argo CD does: where Helm says that dependencies are missing, they are brought, and it is asked again.

    Args:
        pool: Renders.
        tree: The files of the repository.
        chart: The chart's folder.
        requests: The releases.
        changed: Changes the chart's files before they are rendered.
        texts: Whether the rendered texts are wanted as well.
        manifest: Whether the output of ``helm template`` is wanted as well.
        printed: Whether nothing else is; then the chart's CRDs are not among the objects.
        lenient: Whether it is rendered without dependencies that are neither there nor fetched; else that is a fault.
        limit: Seconds until the worker is ended.

    Returns:
        An answer for each of `requests`.

    Raises:
        hanbae.charts.gathering.Missing: A dependency is neither there nor fetched.
        hanbae.errors.FileFault: The chart may not be rendered, its worker died, or it took too long.
    """
    files = gathering.files(tree, chart)
    message = pools.Request(requests, texts=texts, manifest=manifest, printed=printed)
    first = await pool.render(changed(files), message, chart=chart, limit=limit)
    # Helm names all that a release lacks before it renders anything, and the same chart lacks the
    # same for each release.
    missing = next((answer.missing for answer in first if answer.missing), None)
    if missing is None:
        return first
    try:
        files, resolved = gathering.completed(tree, chart, files, missing)
    except gathering.Missing:
        if not lenient:
            raise
        files, resolved = gathering.without(files, missing), ()
    again = msgspec.structs.replace(message, resolved=resolved)
    return await pool.render(changed(files), again, chart=chart, limit=limit)


def rendered(answer: pools.Answer, *, chart: str, values_files: Sequence[str] = ()) -> Rendered:
    """An answer as objects in the order in which Argo CD gets them.

    Args:
        answer: The answer.
        chart: The chart folder as the user knows it, for faults.
        values_files: The values files, for faults in them.

    Raises:
        hanbae.errors.FileFault: Helm failed, or made what is no object; or something is larger than it may be.
    """
    if answer.beyond is not None:
        raise _beyond(answer.beyond, chart, values_files)
    if answer.schema:
        raise _of_schema(chart, answer)
    if answer.error is not None:
        # What a schema says of a value holds the value, which may be a secret.
        raise _failed(chart, (answer.public or answer.error).strip()[:2000])
    return Rendered(answer.values, manifests(answer, chart=chart), answer.differences)


def manifests(answer: pools.Answer | pools.Alternative, *, chart: str) -> tuple[Manifest, ...]:
    """The objects of an answer, or of an alternative, in the order in which Argo CD gets them.

    Raises:
        hanbae.errors.FileFault: There is something among them that is not an object.
    """
    documents = answer.documents
    if not all(0 <= index < len(documents) for index in answer.order):  # a renderer is not trusted
        raise _failed(chart, "-")
    return tuple(
        Manifest(template, manifest)
        for template, document in map(documents.__getitem__, answer.order)
        for manifest in _objects(document, template, chart)
    )


def _objects(document: object, template: str, chart: str) -> list[dict[str, Any]]:
    """The objects in a document: those in it, where it is a list of whatever kind."""
    items = [document]
    # A `List` stands for what is in it, whatever its kind is called, as for kubectl.
    if isinstance(document, Mapping) and isinstance(document.get("items"), list):
        items = [item for item in document["items"] if item]
    return [_whole(item, template, chart) for item in items]


def _whole(item: object, template: str, chart: str) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("metadata") or {}, dict):
        raise _failed(chart, f"{template}: not an object")
    if not isinstance(item.get("kind"), str) or not isinstance(item.get("apiVersion"), str):
        raise _failed(chart, f"{template}: an object without kind or apiVersion")
    return item


def _beyond(excess: pools.Excess, chart: str, values_files: Sequence[str]) -> errors.FileFault:
    """What is larger than it may be, at its line."""
    file = folders.path(chart, excess.file).rstrip("/")
    if excess.values and values_files:
        file = values_files[min(excess.index, len(values_files) - 1)]
    limit = f"{excess.limit // 1024**2} MiB" if excess.what == "bytes" else str(excess.limit)
    place = subjects.Place(file, excess.line)
    return errors.FileFault(f"render.beyond-{excess.what}", place=place, limit=limit)


def _of_schema(chart: str, answer: pools.Answer) -> errors.FileFault:
    """A schema that is malformed or refers outside, in a file of the chart: a packed chart is one."""
    path = answer.schema
    place = subjects.Place(folders.path(chart, path.partition(":")[0]))
    if answer.reference:
        return errors.FileFault(
            "render.schema-refers-outside", place=place, path=path, reference=answer.reference
        )
    return errors.FileFault("render.bad-schema", place=place, path=path, error=answer.error or "-")


def _failed(chart: str, error: str) -> errors.FileFault:
    """Helm's error at the file and line that it names, counted from the chart's folder."""
    # A chart says whatever it likes, with what it was given: values, and whatever else it can read.
    # Helm's own words of a schema name keys, not values, and a key may be called after a secret.
    if not error.startswith(_OF_SCHEMA):
        error = masking.Redactor()(error)
    named = _NAMED.search(error[:_PLACED_WITHIN])
    if named is None:
        whole = _TEMPLATE.search(error) or _FILE.search(error)
        packed = _PACKED.search(error)
        file = f"charts/{packed['file']}" if packed else whole["file"] if whole else "Chart.yaml"
        place = subjects.Place(folders.path(chart, file))
        return errors.FileFault("render.failed", place=place, error=error)
    file = folders.path(chart, named["file"])
    place = subjects.Place(file, int(named["line"] or 0), int(named["column"] or 0))
    return errors.FileFault("render.failed", place=place, error=error)
