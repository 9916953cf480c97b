"""An object as a YAML document whose bytes depend on nothing but the object.

YAML readers disagree about plain text: Kubernetes' takes ``1e3`` for a number and ``on`` for true, PyYAML's writer
does not think of all of that.
So text stands in quotes unless it is a word that no reader can take for something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from hanbae import patterns

_PLAIN: Final = patterns.lazy(r"[A-Za-z_/][A-Za-z0-9_./-]*(?:[:@+=][A-Za-z0-9_./-]+)*")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_WIDE: Final = 1 << 30
_EXACT: Final = 10**21
"""Below this, Go writes a whole float as an integer."""


def document(content: Mapping[str, Any]) -> bytes:
    """The document, with a newline at its end; keys in the order of ``kubectl``, then as they sort."""
    import yaml

    first = [key for key in ("apiVersion", "kind", "metadata") if key in content]
    ordered = {key: _sorted(content[key]) for key in [*first, *sorted(set(content) - set(first))]}
    text = yaml.dump(
        ordered,
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_WIDE,
    )
    return text.encode()


def _sorted(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {key: _sorted(part[key]) for key in sorted(part)}
    return [_sorted(item) for item in part] if isinstance(part, list | tuple) else part


@cache
def _dumper() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    # PyYAML writes an anchor and an alias where it meets the same object twice; the bytes would
    # depend on which parts share one.
    dumper: Any = type("Dumper", (base,), {"ignore_aliases": lambda *_: True})
    dumper.add_representer(str, _text)
    dumper.add_representer(float, _number)
    return dumper


def _text(dumper: Any, value: str) -> Any:
    # A block that begins with white space would need a number that says how far it is indented.
    if "\n" in value and not value.startswith((" ", "\n", "\t")):
        style = "|"
    elif _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        style = ""
    else:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _number(dumper: Any, value: float) -> Any:
    """JSON's way to write a number, which all readers agree about; a whole one is an integer to them."""
    import json

    if value.is_integer() and abs(value) < _EXACT:
        return dumper.represent_int(int(value))
    text = json.dumps(value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)
