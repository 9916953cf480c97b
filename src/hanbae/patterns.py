"""Regular expressions that are compiled when they are first used.

Python compiles them anew in each process. Of the 350 that the modules of a check name, one of an unchanged repository
uses a few dozen; compiling all took a twelfth of its time.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, Final, cast

_METHODS: Final = ("search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split")


class _Pattern:
    """Becomes a compiled pattern's equal with the first attribute that is asked for."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._source = pattern, flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._source)
        # From now on these are found without coming here.
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        return getattr(compiled, name)


def lazy(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """A pattern as :func:`re.compile` makes it, later; what is wrong with it shows at its first use.

    It is for its own methods: the functions of :mod:`re` do not take it.

    Args:
        pattern: The expression.
        flags: As :func:`re.compile` takes them.
    """
    return cast("re.Pattern[AnyStr]", _Pattern(pattern, flags))
