"""The two template languages of ApplicationSets, as far as what their generators give decides the result.

Without ``goTemplate`` the controller replaces ``{{ name }}`` by a parameter of that name and leaves every other
expression as it stands. With it the text is a Go template: ``{{ .name }}`` is the parameter, ``{{ name }}`` a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hanbae import patterns

# The bounds here and below keep the time linear; what is longer is not understood, and so not
# known.
EXPRESSION: Final = patterns.lazy(r"\{\{(-?)([^{}]{0,500}?)(-?)\}\}")
"""One expression with its trim markers; none is longer, and none of these languages nests them."""

_TOKEN: Final = patterns.lazy(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.){0,300}"|`[^`]{0,300}`)|(?P<number>-?[0-9]+)(?![\w.])'
    r"|(?P<path>\.(?:[A-Za-z_][\w]*(?:\.[A-Za-z_][\w]*)*)?)|(?P<word>[A-Za-z_]\w*)|(?P<mark>[()|]))"
)
_GO_STYLE: Final = patterns.lazy(
    r"[.$(]|(?:if|else|end|range|with|index|printf|print|lower|upper|trim\w*|replace|normalize|slugify|default"
    r"|toYaml|toJson|get|dig|join|split\w*|quote)\b(?![.\[-])|[^|]*\|"
)
_BARE: Final = patterns.lazy(r"([A-Za-z_][\w-]*(?:\.[\w-]+|\[[0-9]+\])*)\s*(?:\|.*)?")
_WITHOUT_ARGUMENTS: Final = frozenset(
    {"end", "else", "break", "continue", "now", "uuidv4", "dict", "list", "true", "false", "nil"}
)


class Unknown(Exception):
    """What a template gives is not known here."""


class Missing(Exception):
    """A template asks for a parameter that no generator gives; its argument is the name."""


def go_in_plain(text: str) -> str | None:
    """The first expression of a text without ``goTemplate`` that only Go understands."""
    return next((m[0] for m in EXPRESSION.finditer(text) if _GO_STYLE.match(m[2].strip())), None)


def plain_in_go(text: str) -> str | None:
    """The first expression of a Go template that calls a parameter as if it were a function, such as ``{{path}}``."""
    for match in EXPRESSION.finditer(text):
        bare = _BARE.fullmatch(match[2].strip())
        if bare is not None and bare[1] not in _WITHOUT_ARGUMENTS:
            return match[0]
    return None


def render(text: str, parameters: Mapping[str, Any], *, go: bool, complete: bool) -> str:
    """What a text becomes.

    Args:
        text: The text.
        parameters: What the generators give; nested for Go, flat names such as ``path[1]`` otherwise.
        go: Whether it is a Go template.
        complete: Whether the parameters are all that there are.

    Raises:
        Unknown: The result depends on what is not known here.
        Missing: It asks for a parameter that is not there.
    """
    pieces, end, trims = [], 0, False
    for match in EXPRESSION.finditer(text):
        before = text[end : match.start()]
        before = before.lstrip() if trims else before
        pieces.append(before.rstrip() if match[1] else before)
        value = (
            _go(match[2], parameters, complete=complete)
            if go
            else _plain(match, parameters, complete=complete)
        )
        pieces.append(value)
        end, trims = match.end(), bool(match[3])
    rest = text[end:]
    if go and "{{" in rest:
        raise Unknown
    pieces.append(rest.lstrip() if trims else rest)
    return "".join(pieces)


def _plain(match: re.Match[str], parameters: Mapping[str, Any], *, complete: bool) -> str:
    name = match[2].strip()
    if name in parameters:
        return str(parameters[name])
    if not complete or _GO_STYLE.match(name):
        raise Unknown
    raise Missing(name)


def _go(expression: str, parameters: Mapping[str, Any], *, complete: bool) -> str:
    if expression.strip().startswith("/*"):
        return ""
    tokens = list(_tokens(expression))
    value, rest = _pipeline(tokens, parameters, complete=complete)
    if rest:
        raise Unknown
    return _text(value)


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    index, expression = 0, expression.rstrip()
    while index < len(expression):
        match = _TOKEN.match(expression, index)
        if match is None:
            raise Unknown
        yield str(match.lastgroup), match[str(match.lastgroup)]
        index = match.end()


def _pipeline(
    tokens: list[tuple[str, str]], parameters: Mapping[str, Any], *, complete: bool
) -> tuple[Any, list[tuple[str, str]]]:
    """The value of a pipeline, and the tokens behind it: none, or those from its closing parenthesis on."""
    piped: list[Any] = []
    while True:
        arguments: list[Any] = []
        function = ""
        while tokens and tokens[0] not in (("mark", "|"), ("mark", ")")):
            (form, word), tokens = tokens[0], tokens[1:]
            if form == "mark":
                value, tokens = _pipeline(tokens, parameters, complete=complete)
                if not tokens:
                    raise Unknown
                tokens = tokens[1:]
                arguments.append(value)
            elif form == "word":
                if function or arguments:
                    raise Unknown
                function = word
            else:
                arguments.append(_literal(form, word, parameters, complete=complete))
        # As in Go, what was piped is the last argument.
        arguments += piped
        piped = [_called(function, arguments)]
        if not tokens or tokens[0] == ("mark", ")"):
            return piped[0], tokens
        tokens = tokens[1:]


def _literal(form: str, word: str, parameters: Mapping[str, Any], *, complete: bool) -> Any:
    if form == "number":
        return int(word)
    if form == "text":
        if "\\" in word:
            raise Unknown
        return word[1:-1]
    node: Any = parameters
    for key in word[1:].split(".") if len(word) > 1 else ():
        if not isinstance(node, Mapping):
            raise Unknown
        if key not in node:
            if complete:
                raise Missing(word)
            raise Unknown
        node = node[key]
    return node


def _called(function: str, arguments: list[Any]) -> Any:
    if not function:
        if len(arguments) != 1:
            raise Unknown
        return arguments[0]
    if function not in _FUNCTIONS:
        raise Unknown
    try:
        return _FUNCTIONS[function](*arguments)
    except (TypeError, LookupError, ValueError, AttributeError) as error:
        raise Unknown from error


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(key, int) and key < 0:
            raise LookupError
        value = value[key]
    return value


def _printf(form: str, *values: Any) -> str:
    pieces = re.split(r"%[sdv]", form)
    if len(pieces) != len(values) + 1 or "%" in "".join(pieces):
        raise Unknown
    return "".join(piece + _text(value) for piece, value in zip(pieces, (*values, ""), strict=True))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise Unknown
    return str(value)


def normalized(text: str) -> str:
    """A text as Argo CD makes a valid name of it: lower case, other characters as dashes, at most 253."""
    return re.sub(r"[^-a-z0-9.]", "-", text.lower())[:253].strip("-.")


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "index": _index,
    "printf": _printf,
    "print": lambda *values: "".join(map(_text, values)),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "trimPrefix": lambda prefix, text: text.removeprefix(prefix),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "replace": lambda old, new, text: text.replace(old, new),
    "normalize": normalized,
    "default": lambda other, value: value or other,
    "toString": _text,
    "quote": lambda value: f'"{_text(value)}"',
    "get": lambda mapping, key: mapping.get(key, ""),
    "last": lambda values: values[-1],
    "first": lambda values: values[0],
    "splitList": lambda separator, text: text.split(separator),
    "join": lambda separator, values: separator.join(map(_text, values)),
}
