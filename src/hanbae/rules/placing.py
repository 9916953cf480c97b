"""From a part of a rendered object to the line that a person edits.

The values line where the template says so plainly, else the template's line, else the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanbae import subjects
from hanbae.charts import tracing
from hanbae.results import findings
from hanbae.rules import views

Texts = Mapping[str, str]


def numbered(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A chart's files with the lines of its templates numbered, for :func:`place`."""
    return {
        name: tracing.numbered(data.decode("utf-8")).encode() if _is_template(name, data) else data
        for name, data in files.items()
    }


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
    release: views.Release,
    on: views.On,
    texts: Texts,
    documents: tuple[tuple[str, Any], ...],
) -> tuple[subjects.Place, findings.Precision]:
    """Where a person mends a part of an object, and how sure that is.

    Args:
        release: The release.
        on: The part.
        texts: What the numbered templates rendered to, by file with the chart's name in front; empty when they did
            not render.
        documents: The same as file in the chart and object.
    """
    template = on.object.template
    text = release.service.text(template)
    service = release.service
    same = [entry for entry in documents if service.template(entry[0]) == template]
    index = next(
        (index for index, (_, document) in enumerate(same) if document == on.object.data), None
    )
    if index is None:
        # A checksum over another template, as pods carry one to be restarted, is another one once
        # that template has numbers. Then the object is known by its name.
        alike = [
            i
            for i, (_, document) in enumerate(same)
            if _identity(document) == _identity(on.object.data)
        ]
        index = alike[0] if len(alike) == 1 else None
    if text is None or index is None or same[index][0] not in texts:
        return subjects.Place(template), "template"
    origin = tracing.trace(
        text, texts[same[index][0]], index, on.pointer, release.service.named_templates
    )
    # A key that is at fault itself stands in the template. The values of a dependency are below its
    # name in the chart's, where they are not looked for.
    dependency = same[index][0].partition("/")[2].startswith("charts/")
    if not on.key and not dependency:
        for file in (*reversed(release.values_files), release.service.chart_file("values.yaml")):
            parsed = release.service.values(file)
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
