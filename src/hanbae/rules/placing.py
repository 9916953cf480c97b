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
    if not name.startswith("templates/") or not name.endswith((".yaml", ".yml")):
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
    same = [(file, thing) for file, thing in documents if _names(template, file)]
    at = next((at for at, (_, thing) in enumerate(same) if thing == on.object.data), None)
    if text is None or at is None or same[at][0] not in texts:
        return subjects.Place(template), "template"
    origin = tracing.trace(text, texts[same[at][0]], at, on.pointer)
    if not on.key:
        for file in (release.values_file, f"{release.service.chart}/values.yaml"):
            parsed = release.service.values(file)
            keys = tracing.value_keys(origin, on.pointer, parsed.places)
            if keys is not None:
                return parsed.place(keys), "exact"
    where = subjects.Place(template, origin.line)
    return where, "exact" if origin.literal or (on.key and origin.line) else "template"


def in_source(
    service: views.Service, on: views.On
) -> tuple[subjects.Place, findings.Precision]:
    """Where a person mends a part of an object that Kustomize made of a file.

    A kustomization around it may have changed or added the part; then the file is all that is known for sure.
    """
    import yaml

    file = on.object.template
    text = service.text(file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        nodes = list(yaml.compose_all(text or "", Loader=loader))
    except (yaml.YAMLError, RecursionError, ValueError):
        nodes = []
    same = [node for node in nodes if _says(node, "kind") == on.object.kind]
    named = [node for node in same if _says(node, "metadata", "name") == on.object.name]
    chosen = named or (same if len(same) == 1 else [])
    if not chosen:
        return subjects.Place(file), "file"
    row, found = tracing.row(chosen[0], on.pointer)
    whole = len(found) == len(on.pointer)
    return subjects.Place(file, row + 1), "exact" if whole else "template"


def _says(node: Any, *keys: str) -> str:
    """A scalar in a document; empty where there is none."""
    for key in keys:
        value = getattr(node, "value", None)
        pairs = value if isinstance(value, list) else []
        node = next((pair[1] for pair in pairs if isinstance(pair, tuple) and pair[0].value == key), None)
    return node.value if node is not None and isinstance(node.value, str) else ""


def _names(template: str, file: str) -> bool:
    """Whether a file of the rendered chart, such as ``auth/templates/x.yaml``, is this file of the repository."""
    return template.endswith("/" + file.partition("/")[2])
