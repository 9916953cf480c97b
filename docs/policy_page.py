"""The reference of ``hanbae.yaml``: a table of keys for each part of the policy, made from its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

_LONGEST: Final = 60
_HEAD: Final = """\
# hanbae.yaml

Every key of the policy, made from its schema. Unknown keys are refused, with file and line;
[editors complete them](../editor.md).
Where a default is empty, there is none. Durations are written as `90s`, `10m` or `1h`.
"""


def page(schema: dict[str, Any]) -> str:
    """The page.

    Args:
        schema: The JSON Schema of the policy.
    """
    kinds = schema["$defs"]
    parts = [_HEAD]
    for path, kind in _walk(kinds, "", schema["$ref"].rpartition("/")[2]):
        component = kinds[kind]
        title = f"`{path}`" if path else "The file"
        rows = [
            f"| `{name}` | {_values(field)} | {_default(field)} | {_cell(field.get('description', ''))} |"
            for name, field in component.get("properties", {}).items()
        ]
        table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
        parts.append(f"## {title}\n\n{component['description'].replace('``', '`')}\n\n{table}\n")
    return "\n".join(parts)


def _walk(kinds: dict[str, Any], path: str, kind: str) -> Iterator[tuple[str, str]]:
    """Each part with the path of keys that leads to it; a part that is in several places comes once."""
    described: set[str] = set()
    waiting = [(path, kind)]
    while waiting:
        path, kind = waiting.pop(0)
        if kind in described:
            continue
        described.add(kind)
        yield path, kind
        for name, field in kinds[kind].get("properties", {}).items():
            for suffix, inner in _parts(field):
                waiting.append((f"{path}.{name}{suffix}".lstrip("."), inner))


def _parts(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The parts that a key holds: itself, or one per item or name."""
    if "$ref" in field:
        yield "", field["$ref"].rpartition("/")[2]
    for inner in field.get("anyOf", ()):
        yield from _parts(inner)
    if isinstance(field.get("items"), dict):
        yield from ((f"[]{suffix}", kind) for suffix, kind in _parts(field["items"]))
    if isinstance(field.get("additionalProperties"), dict):
        for suffix, kind in _parts(field["additionalProperties"]):
            yield f".NAME{suffix}", kind


def _values(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"] if value is not None)
    if "$ref" in field:
        return "see below"
    if "anyOf" in field:
        options = [_values(inner) for inner in field["anyOf"] if inner.get("type") != "null"]
        return " or ".join(dict.fromkeys(options))
    if field.get("type") == "array":
        items = field.get("items")
        return f"list: {_values(items)}" if isinstance(items, dict) and items else "list"
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return f"by name: {_values(inner)}" if isinstance(inner, dict) and inner else "mapping"
    return {"string": "text", "integer": "number", "boolean": "`true`, `false`"}.get(
        str(field.get("type")), str(field.get("type", "any"))
    )


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default is None or default in ("", [], (), {}):
        return ""
    written = json.dumps(default, ensure_ascii=False)
    return _cell(f"`{written}`") if len(written) <= _LONGEST else "as `hanbae init` writes it"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
