"""The JSON Schema of ``hanbae.yaml``, so that editors complete and check it while it is written.

It is made from the types that the loader uses; descriptions are the attributes' own docstrings.
The loader checks more (see :mod:`hanbae.policy.rules`): a schema cannot say that two environments collide.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

import msgspec

from hanbae import patterns
from hanbae.policy import documents

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# `inspect.getdoc` has taken the docstring's own indentation away, so four spaces are those below `Attributes:`.
_ATTRIBUTE: Final = patterns.lazy(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def schema() -> dict[str, Any]:
    """The schema as data."""
    (reference,), components = msgspec.json.schema_components(
        [documents.Policy], ref_template="#/$defs/{name}"
    )
    kinds = {
        kind.__name__: kind
        for kind in vars(documents).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    }
    for name, component in components.items():
        _without_form(component, kinds[name])
        _describe(component, kinds[name])
    return {"$schema": DIALECT, "title": "hanbae.yaml", **reference, "$defs": components}


def text() -> str:
    """The schema as indented JSON with a newline at its end."""
    encoded = msgspec.json.encode(schema(), order="deterministic")
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def _without_form(component: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Take out what tells two forms of an entry apart once it is read: a file has other keys instead."""
    form = kind.__struct_config__.tag_field
    if form is not None:
        component["properties"].pop(form)
        component["required"].remove(form)
    for field in component.get("properties", {}).values():
        field.get("items", {}).pop("discriminator", None)


def _describe(component: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Give each property the words of its ``Attributes:`` entry; a class' summary replaces its whole docstring."""
    docstring = inspect.getdoc(kind) or ""
    component["description"] = docstring.split("\n\n")[0]
    for name, words in _ATTRIBUTE.findall(docstring):
        if name in component.get("properties", {}):
            description = " ".join(words.split()).replace("``", "`")
            component["properties"][name]["description"] = description
