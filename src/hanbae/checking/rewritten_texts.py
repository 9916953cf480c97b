"""Which of a release's texts are not what its values files say: the release is rendered once more with them quoted.

Only what a template does with a value shows whether the text was meant: ``0644`` is a mode in one place and a variable
in another. So the suspicious values are quoted, and what is another text then had been rewritten.
Charts without such values, and texts in which none of them can be, cost nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, patterns, subjects
from hanbae.charts import pools, rendering, rewriting
from hanbae.checking import unbegun
from hanbae.rules import rewritten_values, views

_DEFAULTS: Final = "values.yaml"
_MOST: Final = 8
"""Values that are tried one by one where a chart does not render with all of them quoted."""
_SECRET: Final = patterns.lazy(
    r"pass|secret|token|credential|private|api.?key|\bpin\b", re.IGNORECASE
)
# Levels of an object that are looked at: the walk calls itself for each, and a chart may make any
# number.
_DEEPEST: Final = 100


class _Value(Struct, frozen=True):
    """A suspicious value: the file that has it, and its place among the values files; -1 for the chart's own."""

    file: str
    index: int
    scalar: rewriting.Scalar


async def add(pool: pools.Pool, view: views.Service, requests: Mapping[str, pools.Release]) -> None:
    """Put into each release which of its texts were rewritten.

    Args:
        pool: Renders.
        view: The service with its releases.
        requests: Environment → the release as it was requested.
    """
    own = view.chart_file(_DEFAULTS)
    defaults = view.text(own) or ""
    of_chart = functools.cache(lambda: rewriting.scalars(defaults))
    for environment, release in tuple(view.releases.items()):
        request = requests[environment]
        texts = [content.decode("utf-8-sig", "replace") for content in request.values]
        # Layers beyond the files, such as what Argo CD is told beside them, are in none.
        files = [*enumerate(zip(request.values_files, texts, strict=False))]
        if own not in request.values_files:
            files.append((-1, (own, defaults)))
        values = [
            _Value(file, index, scalar)
            for index, (file, text) in files
            for scalar in (of_chart() if index < 0 else rewriting.scalars(text))
        ]
        visible_values = _shown(release, values)
        if visible_values:
            rewritten = await _compared(pool, release, request, visible_values, [*texts, defaults])
            view.releases[environment] = dataclasses.replace(release, rewritten=rewritten)


def _shown(release: views.Release, values: list[_Value]) -> list[_Value]:
    """The values of which a form is in some text of the release."""
    if not values:
        return []
    everything = "\n".join(
        text for manifest in release.objects for _, text in _leaves(manifest.data, ())
    )
    return [value for value in values if any(form in everything for form in value.scalar.forms)]


async def _compared(
    pool: pools.Pool,
    release: views.Release,
    request: pools.Release,
    values: list[_Value],
    texts: list[str],
) -> tuple[rewritten_values.Rewritten, ...]:
    """What is another text with values quoted: all at once, or else one by one."""
    objects = await _quoted(pool, release, request, values, texts)
    if objects is not None:
        return tuple(_differences(release, objects, values))
    rewritten: list[rewritten_values.Rewritten] = []
    # One that a template needs as a number may be what makes the rendering fail, so the others are
    # tried without it. A single one has just been tried.
    for value in values[:_MOST] if len(values) > 1 else ():
        objects = await _quoted(pool, release, request, [value], texts)
        rewritten += _differences(release, objects or (), [value])
    return tuple(rewritten)


async def _quoted(
    pool: pools.Pool,
    release: views.Release,
    request: pools.Release,
    values: list[_Value],
    texts: list[str],
) -> tuple[dict[str, Any], ...] | None:
    """The objects with values quoted; None where the chart does not render with them."""
    by_file = [
        rewriting.quoted(
            # The chart's own file has the index -1, and its text is the last one.
            text,
            (value.scalar for value in values if value.index % len(texts) == index),
        )
        for index, text in enumerate(texts)
    ]

    def changed(files: Mapping[str, bytes]) -> dict[str, bytes]:
        own = {_DEFAULTS: by_file[-1].encode()} if _DEFAULTS in files else {}
        return {**files, **own}

    # Alone: what other clusters make of it is known from the first rendering.
    contents = tuple(text.encode() for text in by_file[:-1])
    quoted = msgspec.structs.replace(request.alone, values=contents)
    quoted = unbegun.with_layer(quoted, release.layer)
    tree, chart = release.service.project.tree, release.service.chart
    try:
        (answer,) = await rendering.answers(
            pool, tree, chart, [quoted], changed=changed, lenient=release.service.incomplete
        )
        rendered = rendering.rendered(answer, chart=chart)
    except errors.FileFault:
        return None
    return tuple(manifest.object for manifest in rendered.manifests)


def _differences(
    release: views.Release, objects: tuple[dict[str, Any], ...], values: list[_Value]
) -> Iterator[rewritten_values.Rewritten]:
    """The first text of the release that each value is in, where quoting the value changes the text."""
    others = {_identity(document): document for document in objects}
    waiting = list(values)
    for manifest in release.objects:
        other = others.get(_identity(manifest.data))
        if other is None or not waiting:
            continue
        quoted = dict(_leaves(other, ()))
        for pointer, text in _leaves(manifest.data, ()):
            meant = quoted.get(pointer, text)
            if meant == text:
                continue
            for value in tuple(waiting):
                form = next((form for form in value.scalar.forms if form in text), None)
                # Another of the quoted values may be what has changed this text.
                if form is not None and value.scalar.source in meant:
                    waiting.remove(value)
                    yield _rewritten(manifest, pointer, value, form)


def _rewritten(
    manifest: views.Object, pointer: views.Pointer, value: _Value, form: str
) -> rewritten_values.Rewritten:
    secret = manifest.kind == "Secret" or any(
        _SECRET.search(str(part)) for part in (*pointer, manifest.get(*pointer[:-1], "name") or "")
    )
    return rewritten_values.Rewritten(
        subjects.Place(value.file, value.scalar.line),
        value.scalar.source,
        form,
        views.On(manifest, pointer),
        secret=secret,
    )


def _identity(document: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    return str(document.get("apiVersion")), str(document.get("kind")), str(name)


def _leaves(part: Any, pointer: views.Pointer) -> Iterator[tuple[views.Pointer, str]]:
    """The texts of an object, each with its place."""
    if isinstance(part, str):
        yield pointer, part
    elif len(pointer) > _DEEPEST:
        return
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _leaves(value, (*pointer, str(key)))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _leaves(value, (*pointer, index))
