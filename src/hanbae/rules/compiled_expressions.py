"""Expressions in CEL, checked for their types before they are evaluated."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

_LONGEST: Final = 300


class Unusable(Exception):
    """An expression that is not one, or not one of a truth value; its words are CEL's."""


@cache
def compiled(expression: str) -> Any:
    """A checked expression.

    Raises:
        Unusable: It is no expression of a truth value.
    """
    from cel_expr_python import cel

    try:
        program = _environment().compile(expression)
    except (RuntimeError, ValueError) as error:
        raise Unusable(str(error)[:_LONGEST]) from error
    kind = program.return_type()
    if kind != cel.Type.BOOL:
        # The API server asks for exactly that as well, so `object.spec.x` alone will not do.
        raise Unusable(f"{kind.name()} instead of BOOL")
    return program


@cache
def _environment() -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional, ext_strings

    return cel.NewEnv(
        variables={"object": cel.Type.DYN},
        extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()],
    )
