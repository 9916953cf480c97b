"""Puts the build environment of Argo CD into texts of a source: ``$ARGOCD_APP_NAME``, ``${ARGOCD_APP_REVISION}``.

The repo-server expands parameters of Helm, paths of values files and images of Kustomize as Go's ``os.Expand`` does: a
variable that it does not know is empty, ``$$`` is a dollar sign, and braces that nobody closes go away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hanbae import patterns

REVISION: Final = "ARGOCD_APP_REVISION"
_SHORT: Final = {f"{REVISION}_SHORT": 7, f"{REVISION}_SHORT_8": 8}
OF_COMMIT: Final = frozenset({REVISION, *_SHORT})
"""The variables that are known once it is known which commit is deployed."""
_SPECIAL: Final = frozenset("*#$@!?-0123456789")
_NAME: Final = patterns.lazy(r"[A-Za-z0-9_]+")


def of_commit(commit: str) -> dict[str, str]:
    """The variables that say which commit it is; none where that is not known.

    Args:
        commit: The full id, or empty.
    """
    if not commit:
        return {}
    return {REVISION: commit} | {name: commit[:length] for name, length in _SHORT.items()}


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """A text with variables put in.

    Args:
        text: The text.
        variables: Name → value. A variable of the commit that is not among them is left as it is written.
    """
    # The last brace is looked for once: else a hundred thousand `${` without an end would each look
    # for one through the whole text.
    parts, position, last = [], 0, text.rfind("}")
    while (dollar := text.find("$", position)) >= 0 and dollar + 1 < len(text):
        parts.append(text[position:dollar])
        name, position = _name(text, dollar + 1, last)
        if name is None:
            continue  # braces with nothing in them, or that are not closed
        if name == "$":
            parts.append("$")
        elif not name:
            parts.append("$")  # of no variable
        elif name in OF_COMMIT and name not in variables:
            parts.append(text[dollar:position])
        else:
            parts.append(variables.get(name, ""))
    return "".join((*parts, text[position:]))


def _name(text: str, start: int, last: int) -> tuple[str | None, int]:
    """The name of a variable behind a dollar sign, and where it ends; None for braces that are none.

    Args:
        text: The text.
        start: Where the name, or its brace, would be.
        last: Where the last closing brace is.
    """
    if text[start] == "{":
        # Without an end `os.Expand` drops the `${` and goes on with what is behind it.
        if start > last:
            return None, start + 1
        end = text.index("}", start)
        return text[start + 1 : end] or None, end + 1
    if text[start] in _SPECIAL:
        return text[start], start + 1
    match = _NAME.match(text, start)
    return ("", start) if match is None else (match[0], match.end())
