"""What Helm and Kubernetes take a plain scalar of YAML for: go-yaml (v2.4), through which all they read goes.

That is neither YAML 1.1 nor 1.2: ``y`` and ``on`` are true, ``017`` and ``0o17`` are 15, ``08`` and ``1e5`` are floats,
underscores within numbers do not count, and dates and numbers of base 60 are text.
Mappings are here as well, as far as they differ: their keys, and what ``<<`` merges into them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from hanbae import patterns

# What fits none of these, such as `08`, is no whole number for go-yaml either, but may be a float.
_BASES: Final = (
    (patterns.lazy(r"0[bB]([01]+)"), 2),
    (patterns.lazy(r"0[oO]?([0-7]+)"), 8),
    (patterns.lazy(r"0[xX]([0-9a-fA-F]+)"), 16),
    (patterns.lazy(r"(0|[1-9][0-9]*)"), 10),
)
"""How whole numbers are written without their sign, and their base."""
_FLOAT: Final = patterns.lazy(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION: Final = patterns.lazy(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?")
"""What begins with a point has underscores between digits alone, elsewhere they may be anywhere."""
_DIGITS_OF_32_BITS: Final = 9
"""Digits that tell every number of 32 bits from all others."""
_LEAST_PLAIN, _FIRST_WITH_EXPONENT = -4, 6
"""Exponents from and below which Go writes a number without one."""
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1
"""What a whole number of Go's can be."""
_LONGEST_NUMBER: Final = 1000
"""Characters of a scalar that may be a number; Python takes quadratic time for those that nobody writes."""
_WORDS: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False
    ),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_TEXT: Final = "tag:yaml.org,2002:str"
_TYPED: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))
"""Tags of scalars that are no text."""
MERGE: Final = "tag:yaml.org,2002:merge"
"""The tag of ``<<``."""
BEGINS: Final = frozenset({"", *"yYnNtTfFoO~.+-0123456789"})
"""What a plain scalar begins with that is no text."""


def scalar(text: str) -> Any:
    """What a plain scalar is: text, a number, truth or nothing.

    Args:
        text: The scalar, as it stands in the file without quotes.
    """
    if text[:1] not in BEGINS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    if text[0] == ".":
        number = _float(text.replace("_", "")) if _FRACTION.fullmatch(text) else text
        return text if isinstance(number, str) else number
    return _number(text)


def _number(text: str) -> Any:
    digits = text.replace("_", "")
    sign, bare = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    for form, base in _BASES:
        match = form.fullmatch(bare)
        whole = int(sign + match[1], base) if match else None
        # Go reads what has a sign as 64 bits signed, and only what has none as 64 bits unsigned as
        # well.
        if whole is not None and _SMALLEST <= whole <= (_LARGEST >> 1 if sign else _LARGEST):
            return whole
    number = _float(digits)
    return text if isinstance(number, str) else number


def _float(text: str) -> float | str:
    # The pattern first: Python's float() takes words such as `infinity` as well. What is too large
    # for a float, such as `1e400`, is text for go-yaml.
    number = float(text) if _FLOAT.fullmatch(text) else math.inf
    return text if math.isinf(number) else number


def json_key(value: Any) -> str | None:
    """A key as JSON has it, into which Helm and Kubernetes turn whatever they read (sigs.k8s.io/yaml).

    Args:
        value: A scalar.

    Returns:
        None where they refuse it: nothing, and whole numbers of more than 63 bits.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value <= _LARGEST >> 1 else None
    return _float_key(value) if isinstance(value, float) else value


def _float_key(value: float) -> str:
    """The shortest text of a number of 32 bits, in Go's format ``g``."""
    # sigs.k8s.io/yaml writes a key that is a float with 32 bits, although it has read it with 64.
    try:
        number: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        number = math.copysign(math.inf, value)
    if not math.isfinite(number):
        return ".nan" if math.isnan(number) else ".inf" if number > 0 else "-.inf"
    # The fewest digits that are read back as the same number, which is what Go writes.
    for digits in range(_DIGITS_OF_32_BITS):
        text = f"{number:.{digits}e}"
        if struct.pack("f", float(text)) == struct.pack("f", number):
            break
    exponent = int(text.partition("e")[2])
    is_short = _LEAST_PLAIN <= exponent < _FIRST_WITH_EXPONENT
    return f"{float(text):.{max(0, digits - exponent)}f}" if is_short else text


def with_merges_in_order(flatten: Any) -> Any:
    """A constructor's way to resolve ``<<``, with which it merges where it stands, as Helm and Kubernetes have it.

    By YAML 1.1 it never replaces what the mapping has itself; for them it does, unless that stands behind it.
    """

    def flatten_mapping(self: Any, node: Any) -> None:
        entries: list[tuple[Any, Any]] = []
        merges = False
        for key, value in node.value:
            if str(key.tag) != MERGE:
                entries.append((key, value))
                continue
            merges = True
            # Of several sources the first one wins, as go-yaml has it: it is merged last.
            sources = [value] if value.id == "mapping" else value.value[::-1]
            if value.id == "scalar" or any(source.id != "mapping" for source in sources):
                flatten(self, node)  # says what is wrong with it
            for source in sources:
                flatten_mapping(self, source)
                entries += source.value
        if merges:
            # ruamel looks for keys that stand twice where `merge` is None, and merged mappings may
            # have those.
            node.value, node.merge = entries, []

    return flatten_mapping


def with_keys_of_json(flatten: Any, fault: Callable[[str, Any], Exception]) -> Any:
    """A constructor's way to resolve ``<<``, after which the mapping's keys are texts, as JSON has them.

    Args:
        flatten: The way to resolve ``<<``.
        fault: Makes the error, of why and where, for a key that Helm and Kubernetes refuse, and for two of different
            types that become one: which of them they take then is chance.
    """

    def flatten_mapping(self: Any, node: Any) -> None:
        flatten(self, node)
        if any(str(key.tag) in _TYPED for key, _ in node.value):
            node.value = list(entries(self, node.value))

    def entries(constructor: Any, of_any_type: list[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        tags: dict[str, str] = {}
        for key, value in of_any_type:
            tag, replaced = str(key.tag), key
            if tag in _TYPED:
                text = json_key(constructor.construct_object(key))
                if text is None:
                    raise fault(f"{key.value or 'null'} cannot be a key", key.start_mark)
                replaced = type(key)(_TEXT, text, key.start_mark, key.end_mark)
            if replaced.id == "scalar" and tags.setdefault(replaced.value, tag) != tag:
                raise fault(f"the key {replaced.value} is there twice", key.start_mark)
            yield replaced, value

    return flatten_mapping


def kind(value: Any) -> str:
    """The name of a scalar's type in YAML's tags."""
    kinds = {type(None): "null", bool: "bool", int: "int", float: "float"}
    return kinds.get(type(value), "str")


_CORE: Final = (
    ("null", patterns.lazy(r"~|null|Null|NULL|")),
    ("bool", patterns.lazy(r"true|True|TRUE|false|False|FALSE")),
    ("int", patterns.lazy(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")),
    (
        "float",
        patterns.lazy(
            r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    ),
)
"""The core schema (YAML 1.2.2, 10.3.2), and with it what ruamel has always taken for numbers: 1_000, 0b101, 017."""


_CORE_BEGINS: Final = frozenset({"", *"~nNtTfF+-.0123456789"})
"""What a scalar begins with that is none of text."""


def core(text: str) -> str:
    """The name of the type that a plain scalar has in the core schema.

    Args:
        text: The scalar, as it stands in the file without quotes.
    """
    # Of what has another type nothing begins otherwise; most of what is sealed or named begins with a letter.
    if text[:1] in _CORE_BEGINS:
        for name, form in _CORE:
            if form.fullmatch(text):
                return name
    return "str"
