"""One rule of an admission policy: an expression in CEL, and what is said to whoever breaks it.

Values get into expressions only as CEL literals, so that a name from a repository stays a name.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any, Final

from msgspec import Struct

from hanbae import patterns

_PLACEHOLDER: Final = patterns.lazy(r"<<(\w+)>>")


class Rule(Struct, frozen=True):
    """A rule.

    Attributes:
        message: What the API server says when it is broken.
        expression: What must be true, in CEL.
    """

    message: str
    expression: str


def rule(message: str, text: str, **values: Any) -> Rule:
    """A rule.

    Args:
        message: What the API server says when it is broken.
        text: The expression; ``<<name>>`` stands for a value.
        values: Name → value.
    """
    return Rule(message, expression(text, **values))


def unless(condition: str, inner: Rule) -> Rule:
    """The rule, where the condition does not hold."""
    inside = textwrap.indent(inner.expression, "  ")
    return Rule(inner.message, f"{condition} || (\n{inside}\n)")


def expression(text: str, **values: Any) -> str:
    """An expression from its indented text and the values in it."""
    return _PLACEHOLDER.sub(lambda match: literal(values[match[1]]), textwrap.dedent(text).strip())


def literal(value: Any) -> str:
    """A value as CEL writes it; its strings have the escapes of JSON."""
    return json.dumps(value, ensure_ascii=True)
