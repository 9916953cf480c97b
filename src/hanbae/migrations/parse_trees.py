"""What is read of PostgreSQL's parse trees: names and texts."""

from __future__ import annotations

from typing import Any

from hanbae import foreign_json


def text(value: Any) -> str:
    """A field that is a text; empty for everything else."""
    return value if isinstance(value, str) else ""


def names(value: Any) -> list[str]:
    """The texts of a list of ``String`` nodes, such as the parts of a qualified name."""
    nodes = foreign_json.mappings(value)
    return [text(foreign_json.below(node, "String").get("sval")) for node in nodes]


def qualified(relation: Any) -> str:
    """A table's name, with its schema where it has one; empty for what is no table's node."""
    fields = relation if isinstance(relation, dict) else {}
    schema, name = text(fields.get("schemaname")), text(fields.get("relname"))
    return f"{schema}.{name}" if schema else name
