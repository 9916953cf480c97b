"""Foreign text made harmless for where it goes: file names, values and errors come from whoever can push a branch."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from hanbae import commonmark, patterns
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae import wording

# What reorders or hides text, ends lines in places where few think of it, or is no character at all.
_DECEITFUL: Final = patterns.lazy(
    "[\u061c\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SPACE: Final = patterns.lazy(r"\s+")
_COMMAND: Final = patterns.lazy(r"^(\s*)::")
_OTHER_COMMANDS: Final = patterns.lazy(r"##(?=\[|vso|teamcity)")
# With a zero-width space a forge sees no mention and notifies nobody.
_MENTION: Final = "@\u200b"
_ACTIVE: Final = patterns.lazy(r"[!-'*+;-@\[-`{-~]|:(?=/)|(?<=[wW]{3})\.")
"""What Markdown, HTML or GitHub may take for more than itself: mentions and links included."""


def plain(text: str) -> str:
    """One line without control characters, and with what deceives shown as an escape."""
    if (
        text.isprintable() and "##" not in text
    ):  # most is, and then nothing breaks a line or deceives
        return text.strip()
    flat = _SPACE.sub(_joined, text)
    return _DECEITFUL.sub(_escape, catalogue.printable(flat)).strip()


def _joined(match: re.Match[str]) -> str:
    """Space as it is, or one blank for space that breaks a line or holds a tab."""
    return match[0] if not any(letter in match[0] for letter in "\r\n\t") else " "


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def line(text: str) -> str:
    """One line of a log or a message as it was written, indented too, without what steers a terminal or deceives."""
    flat = catalogue.printable(text).replace("\t", "    ").replace("\n", " ")
    return _DECEITFUL.sub(_escape, flat)


def sentence(text: wording.Text) -> str:
    """A text in words, on one line."""
    return plain(catalogue.sentence(text))


def general(text: wording.Text) -> str:
    """A text that was given no facts: what they would fill is shown as ``<name>``."""
    return re.sub(r"\{(\w+)\}", r"<\1>", sentence(text))


def terminal(line: str) -> str:
    """A line of text that no build server takes for a command of its own."""
    if "::" not in line and "##" not in line:
        return line
    return _OTHER_COMMANDS.sub("# #", _COMMAND.sub(r"\1\\::", line))


def markdown(text: str) -> str:
    """Plain text that Markdown shows as it is: no markup, no HTML, no link, no mention."""
    return commonmark.escaped(plain(text)).replace("@", _MENTION)


def element(text: str) -> str:
    """Plain text within HTML elements of a Markdown document, where a backslash would be shown: as entities."""
    plain_text = " ".join(catalogue.printable(text).split())
    visible = "".join(letter for letter in plain_text if unicodedata.category(letter) != "Cf")
    return _ACTIVE.sub(lambda match: f"&#{ord(match[0])};", visible)


def code(text: str) -> str:
    """Plain text as code in Markdown, with a fence that it cannot end."""
    printable = plain(text) or " "
    longest = max((len(run) for run in re.findall("`+", printable)), default=0)
    fence = "`" * (longest + 1)
    # A backtick at either end would join the fence. CommonMark strips one blank on each side.
    gap = " " if "`" in printable else ""
    return f"{fence}{gap}{printable}{gap}{fence}"


def annotation(text: str) -> str:
    """The message of an annotation on GitHub."""
    # The percent sign first, so that those of the other escapes stay.
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotation_property(text: str) -> str:
    """A property of an annotation on GitHub."""
    return annotation(text).replace(":", "%3A").replace(",", "%2C")


def sarif(text: str) -> str:
    """A message in SARIF, where brackets would be a link."""
    # The backslash first, so that those of the other escapes stay.
    return plain(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def as_bytes(text: str) -> bytes:
    """Text as bytes: a file's name that is no UTF-8 as it was, other lone surrogates in the way of UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
