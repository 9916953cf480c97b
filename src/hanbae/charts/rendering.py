"""Renders a chart as Argo CD would, without trusting it.

Helm's own code renders (the version that the library embeds), in a disposable worker; see
:mod:`hanbae.charts.worker` and :mod:`hanbae.charts.pools`.
What the worker cannot be trusted to refuse is refused before it starts: symlinks that leave the chart, and
references in ``values.schema.json`` that would make Helm read files or open connections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, masking, subjects
from hanbae.charts import gathering, pools, worker
from hanbae.repository import trees

_NAMED: Final = re.compile(
    r"(?P<file>(?:charts/[^\s/:]+/)*templates/[^\s:]+):(?:(?P<line>\d+)(?::(?P<column>\d+))?| )"
)
# What a schema says of a value holds the value, which may be a secret.
_VALUE: Final = re.compile(
    r"(- at '[^'\n]*':) '(?:[^'\\]|\\.)*' (does not match pattern|is not valid)"
)
_TEMPLATE: Final = re.compile(r"^[^\s/:]+/(?P<file>(?:charts/[^\s:]+/)?templates/[^\s:]+): ")
_TOO_LARGE: Final = re.compile(r"\"chart/(?P<file>[^\"]+)\" is larger than")


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
    """

    values: dict[str, Any]
    manifests: tuple[Manifest, ...]


async def render(
    tree: trees.Tree,
    chart: str,
    wanted: pools.Wanted,
    *,
    limit: float = pools.TIMEOUT,
) -> Rendered:
    """Render a chart folder, in a worker of its own.

    Args:
        tree: The files of the repository.
        chart: The chart's folder; nothing outside the tree is read.
        wanted: The release.
        limit: Seconds until the worker is ended.

    Raises:
        hanbae.errors.FileFault: The chart does not render, or it may not be rendered.
    """
    async with pools.opened(1) as pool:
        (answer,) = await answers(pool, tree, chart, [wanted], limit=limit)
    return rendered(answer, shown=chart)


async def answers(
    pool: pools.Pool,
    tree: trees.Tree,
    chart: str,
    wanted: Sequence[pools.Wanted],
    *,
    changed: Callable[[Mapping[str, bytes]], dict[str, bytes]] = dict,
    texts: bool = False,
    manifest: bool = False,
    limit: float = pools.TIMEOUT,
) -> list[pools.Answer]:
    """Render a chart folder for several releases: the one way, whoever wants it.

    As Argo CD does: where Helm says that dependencies are missing, they are brought, and it is asked again.

    Args:
        pool: Renders.
        tree: The files of the repository.
        chart: The chart's folder.
        wanted: The releases.
        changed: Changes the chart's files before they are rendered.
        texts: Whether the rendered texts are wanted as well.
        manifest: Whether the output of ``helm template`` is wanted as well.
        limit: Seconds until the worker is ended.

    Returns:
        An answer for each of `wanted`.

    Raises:
        hanbae.errors.FileFault: The chart may not be rendered, its worker died, or it took too long.
    """
    files = gathering.files(tree, chart)
    asked = pools.Asked(wanted, texts=texts, manifest=manifest)
    found = await pool.render(changed(files), asked, shown=chart, limit=limit)
    missing = next((m for each in found if (m := _missing(each))), None)
    if missing is None:
        return found
    files, resolved = gathering.completed(tree, chart, files, missing)
    again = msgspec.structs.replace(asked, resolved=resolved)
    return await pool.render(changed(files), again, shown=chart, limit=limit)


def _missing(answer: pools.Answer) -> list[str] | None:
    """The dependencies that Helm lacks."""
    if answer.error is None or not answer.error.startswith(worker.MISSING):
        return None
    return answer.error.removeprefix(worker.MISSING).split(", ")


def rendered(answer: pools.Answer, *, shown: str) -> Rendered:
    """A worker's answer as objects in the order in which Argo CD gets them.

    Args:
        answer: The answer.
        shown: The chart folder as the user knows it, for faults.

    Raises:
        hanbae.errors.FileFault: Helm failed, or made what is no object.
    """
    if answer.error is not None:
        raise _failed(shown, _VALUE.sub(r"\1 \2", answer.error.strip())[:2000])
    documents = answer.documents
    if not all(0 <= at < len(documents) for at in answer.order):  # nobody trusts a worker
        raise _failed(shown, "-")
    manifests = tuple(
        Manifest(template, thing)
        for template, document in map(documents.__getitem__, answer.order)
        for thing in _objects(document, template, shown)
    )
    return Rendered(answer.values, manifests)


def _objects(document: object, template: str, shown: str) -> list[dict[str, Any]]:
    """The objects in a document: those in it, where it is a list of whatever kind."""
    things = [document]
    if isinstance(document, Mapping) and isinstance(document.get("items"), list):
        things = [item for item in document["items"] if item]
    return [_whole(thing, template, shown) for thing in things]


def _whole(thing: object, template: str, shown: str) -> dict[str, Any]:
    if not isinstance(thing, dict) or not isinstance(thing.get("metadata") or {}, dict):
        raise _failed(shown, f"{template}: not an object")
    if not isinstance(thing.get("kind"), str) or not isinstance(thing.get("apiVersion"), str):
        raise _failed(shown, f"{template}: an object without kind or apiVersion")
    return thing


def _fault(shown: str, said: str, /, **facts: str) -> errors.FileFault:
    return errors.FileFault(said, place=subjects.Place(f"{shown}/Chart.yaml"), **facts)


def _failed(shown: str, error: str) -> errors.FileFault:
    """Helm's error at the file and line that it names, counted from the chart's folder."""
    # A chart says whatever it likes, with what it was given: values, and whatever else it can read.
    error = masking.Redactor()(error)
    named = _NAMED.search(error)
    if named is None:
        whole = _TEMPLATE.search(error) or _TOO_LARGE.search(error)
        file = whole["file"] if whole else "Chart.yaml"
        return errors.FileFault(
            "render.failed", place=subjects.Place(f"{shown}/{file}"), error=error
        )
    place = subjects.Place(
        f"{shown}/{named['file']}", int(named["line"] or 0), int(named["column"] or 0)
    )
    return errors.FileFault("render.failed", place=place, error=error)
