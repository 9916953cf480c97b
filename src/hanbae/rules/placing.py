"""From a part of a rendered object to the line that a person edits.

The values line where the template says so plainly, else the template's line, else the template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hanbae import subjects
from hanbae.charts import tracing
from hanbae.results import findings
from hanbae.rules import views


def numbering(
    service: views.Service, objects: Iterable[views.Object]
) -> Callable[[Mapping[str, bytes]], dict[str, bytes]]:
    """What numbers the lines of those templates, among a chart's files, that make some objects, for :func:`place`."""
    templates = {part.template for part in objects}

    def numbered(files: Mapping[str, bytes]) -> dict[str, bytes]:
        return {
            name: tracing.numbered(data.decode("utf-8")).encode()
            if service.template(f"/{name}") in templates and _is_template(name, data)
            else data
            for name, data in files.items()
        }

    return numbered


class Numbered:
    """A release whose templates were rendered with their lines numbered; without anything, where they did not render.

    Args:
        service: The service.
        texts: What they rendered to, by file with the chart's name in front.
        documents: The same as file in the chart and object.
    """

    def __init__(
        self,
        service: views.Service,
        texts: Mapping[str, str] = {},
        documents: Iterable[tuple[str, Any]] = (),
    ) -> None:
        self._texts = {file: tracing.NumberedText(text) for file, text in texts.items()}
        self._documents: dict[str, list[tuple[str, Any]]] = {}
        for file, document in documents:
            self._documents.setdefault(service.template(file), []).append((file, document))

    def position(self, searched: views.Object) -> tuple[str, tracing.NumberedText, int] | None:
        """Where an object of the release is: its file, what that rendered to, and which of its documents it is."""
        same = self._documents.get(searched.template, [])
        equal = (i for i, (_, document) in enumerate(same) if document == searched.data)
        index = next(equal, None)
        if index is None:
            # A checksum over another template, as pods carry one to be restarted, is another one once
            # that template has numbers. Then the object is known by its name.
            name = _identity(searched.data)
            alike = [i for i, (_, document) in enumerate(same) if _identity(document) == name]
            index = alike[0] if len(alike) == 1 else None
        if index is None or same[index][0] not in self._texts:
            return None
        return same[index][0], self._texts[same[index][0]], index


def _is_template(name: str, data: bytes) -> bool:
    inside = name.startswith("templates/") or "/templates/" in name
    if not inside or not name.endswith((".yaml", ".yml")):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def place(
    release: views.Release, on: views.On, rendered: Numbered
) -> tuple[subjects.Place, findings.Precision]:
    """Where a person mends a part of an object, and how sure that is.

    Args:
        release: The release.
        on: The part.
        rendered: The same release with the lines of its templates numbered.
    """
    template, service = on.object.template, release.service
    text, position = service.text(template), rendered.position(on.object)
    if text is None or position is None:
        return subjects.Place(template), "template"
    name, numbered_text, index = position
    origin = tracing.trace(text, numbered_text, index, on.pointer, service.named_templates)
    # A key that is at fault itself stands in the template. The values of a dependency are below its
    # name in the chart's, where they are not looked for.
    dependency = name.partition("/")[2].startswith("charts/")
    if not on.key and not dependency:
        for file in (*reversed(release.values_files), service.chart_file("values.yaml")):
            parsed = service.values(file)
            keys = tracing.value_keys(origin, on.pointer, parsed.places)
            if keys is not None:
                return parsed.place(keys), "exact"
    where = subjects.Place(template, origin.line)
    return where, "exact" if origin.literal or (on.key and origin.line) else "template"


def _identity(document: Any) -> tuple[str, str, str, str]:
    """Version, kind, namespace and name of an object."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    own = metadata if isinstance(metadata, dict) else {}
    if not own:
        return "", "", "", ""
    api_version, kind = str(document.get("apiVersion")), str(document.get("kind"))
    return api_version, kind, str(own.get("namespace")), str(own.get("name"))
