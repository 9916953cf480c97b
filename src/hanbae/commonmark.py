"""Text that a renderer of CommonMark shows as it is: what would be markup gets a backslash, and nothing else does.

Reports are read as they stand as well, in a terminal or in the box of a form, where each backslash that is not needed
is in the way. What is escaped, and where (https://spec.commonmark.org/0.31.2, https://github.github.com/gfm):

- what begins something anywhere: backticks, emphasis, links, HTML, entities, strikethrough, mathematics, and the marks
  between the columns of a table; an underscore within a word begins nothing;
- what begins a block, at the beginning of the text alone: headings, lists, quotes, breaks, fences and underlines;
- what GitHub makes a link of by itself: ``://`` and ``www.``;
- what forges take for an issue or a merge request, which "Closes" before it would close: ``#1`` and ``!1``. They look
  for it in the text as it was written, and there a backslash stands between.
"""

from __future__ import annotations

import re
from typing import Final

from hanbae import patterns

_ANYWHERE: Final = patterns.lazy(
    r"\\(?=[!-/:-@\[-`{-~]|$)"  # before what it would escape, and before whatever follows the text
    r"|[`*\[|~$]"
    r"|<(?=[A-Za-z/!?]|$)"
    r"|&(?=#?[0-9A-Za-z]{1,31};|#?[0-9A-Za-z]{0,31}$)"
    r"|[#!](?=[0-9])"
    r"|:(?=//)"
    r"|(?<=[wW]{3})\."
    r"|_+"
)
_BLOCK: Final = patterns.lazy(r"#{1,6}(?=\s|$)|>|[+-](?=\s|$)|[-:][-:\s]*$|=+\s*$")
"""What begins a block where a text begins, beside what is escaped anywhere; an underline is all of its line."""
# CommonMark reads at most nine digits as the number of an item.
_ITEM: Final = patterns.lazy(r"([0-9]{1,9})([.)])(?=\s|$)")
_ENTITIES: Final = {"<": "&lt;", "&": "&amp;"}


def escaped(text: str) -> str:
    """One line of plain text, for a paragraph, a heading, an item of a list, or a cell of a table.

    Args:
        text: The text, without line breaks and without space around it.
    """
    harmless = _ANYWHERE.sub(lambda match: _escape(match, text), text)
    # Of what begins a block nothing was escaped above, so no backslash gets one of its own.
    if _BLOCK.match(text):
        harmless = f"\\{harmless}"
    if text.endswith("#") and text.rstrip("#")[-1:].isspace():
        harmless = f"{harmless[:-1]}\\#"  # a heading would take it for its own end
    item = _ITEM.match(harmless)
    return f"{item[1]}\\{harmless[item.end(1) :]}" if item else harmless


def _escape(match: re.Match[str], text: str) -> str:
    run = match[0]
    if run[0] == "_" and _is_within_word(text, match.start(), match.end()):
        return run
    return _ENTITIES.get(run) or "".join(f"\\{letter}" for letter in run)


def _is_within_word(text: str, start: int, end: int) -> bool:
    return start > 0 and end < len(text) and text[start - 1].isalnum() and text[end].isalnum()
