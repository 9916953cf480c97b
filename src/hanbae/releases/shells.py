"""The words of a shell text, read as far as that is possible without running it.

`shlex` cannot serve: it forgets whether a ``$`` stood in single quotes, takes a ``#`` in the middle of an address for
a comment and keeps a continued line's end.
The text comes from charts, so every pattern takes each character once.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Final

from msgspec import Struct

LONGEST: Final = 32_768
"""Characters of a text that are read; what is longer is left unread."""
_MARK: Final = "\0"
"""Stands around the number of a variable that is put in before the shell begins: no argument of a program has it."""


class Variable(Struct, frozen=True):
    """A variable's value in a word: ``$NAME`` or ``${NAME}`` of a shell, or ``$(NAME)`` that Kubernetes expands.

    Attributes:
        name: The variable.
        expanded: Whether the value is put in before the shell begins, which can then no longer change it.
    """

    name: str
    expanded: bool = False


class Computed(Struct, frozen=True):
    """A part of a word that only a shell can work out, such as ``$(cat /run/url)``."""

    text: str


Part = str | Variable | Computed
Word = tuple[Part, ...]
"""A word of a command; neighbouring texts are one part."""

_REFERENCE: Final = (
    r"\0(?P<expanded>[0-9]+)\0"
    r"|\$\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|\$(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<computed>\$\(|\$\{|`|\$[0-9@*#?!$-])"
)
# Alternatives are tried in order: `>&` and `&>` have to be redirections before `&` is an operator. The
# last one takes any character, such as a quote that is never closed, so that the lexer always moves on.
# What a backslash stands before may be a variable that is put in, and then the backslash is nothing.
_BARE: Final = re.compile(
    r"(?P<gap>[ \t\r]+|\\\r?\n)|(?P<comment>#[^\n]*)"
    r"|(?P<redirect>(?:[0-9]*(?:<<<|>>|>&|>\||<<-?|<&|<>|>|<))|&>>?)"
    r"|(?P<operator>\n|;;|;|&&|\|\||\||&|\(|\))"
    r"|'(?P<single>[^']*)'|(?P<double>\")|\\(?P<escaped>[^\0]|(?=\0))|"
    + _REFERENCE
    + r"|(?P<text>[^\s'\"\\$`;&|<>()#\0]+)|(?P<other>.)",
    re.DOTALL,
)
# Inside double quotes a backslash is itself, except in front of these five.
_QUOTED: Final = re.compile(
    r"(?P<end>\")|\\(?P<escaped>[\"\\$`\n])|"
    + _REFERENCE
    + r"|(?P<text>[^\"\\$`\0]+)|(?P<other>.)",
    re.DOTALL,
)
# A line of a here-document. Unless the word that ends it is quoted, a backslash continues it, also into that word.
_QUOTED_LINE: Final = re.compile(r"[^\n]*\n?")
_LINE: Final = re.compile(r"(?:[^\\\n]|\\.)*\\?\n?", re.DOTALL)
_QUOTES: Final = str.maketrans("", "", "'\"\\")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


def argument(text: str, variables: Container[str]) -> Word:
    """A word of an exec form: Kubernetes expands ``$(NAME)`` in it and nothing else happens to it.

    As Kubernetes has it, ``$$`` is one ``$`` that begins nothing, a name is whatever stands before the next ``)``, and
    a reference to what is no variable stays as it is, with all that is in it.

    Args:
        text: The word.
        variables: The names of the container's variables.
    """
    parts: list[Part] = []
    start = position = 0
    last = text.rfind(")")
    while (dollar := text.find("$", position)) >= 0:
        following, position = text[dollar + 1 : dollar + 2], dollar + 2
        if following == "$":
            parts.append(text[start : dollar + 1])
            start = position
        elif following == "(" and position <= last:
            close = text.index(")", position)
            name, position = text[position:close], close + 1
            if name in variables:
                parts += [text[start:dollar], Variable(name, expanded=True)]
                start = position
    return joined([*parts, text[start:]])


def literal(word: Word) -> str | None:
    """The text of a word that is nothing but text; None for others."""
    if not word:
        return ""
    return word[0] if len(word) == 1 and isinstance(word[0], str) else None


def tokens(script: Word) -> Iterator[Word | str]:
    """The words and operators of a shell text, operators as texts; nothing of one that is too long to be read.

    Args:
        script: The text, as ``sh -c`` is given it; variables in it are put in before it is read.
    """
    text = ""
    expanded: list[Variable] = []
    for part in script:
        if isinstance(part, Variable):
            text += f"{_MARK}{len(expanded)}{_MARK}"
            expanded.append(Variable(part.name, expanded=True))
        elif isinstance(part, Computed) or _MARK in part:
            return
        else:
            text += part
    if len(text) <= LONGEST:
        yield from _Lexer(text, expanded).tokens()


def joined(parts: list[Part]) -> Word:
    """Parts as a word."""
    joined: list[Part] = []
    before = ""
    for part in parts:
        if isinstance(part, str):
            before += part
            continue
        joined += [before, part] if before else [part]
        before = ""
    return (*joined, before) if before else tuple(joined)


class _Lexer:
    """Divides a text into words and operators."""

    def __init__(self, text: str, expanded: list[Variable]) -> None:
        self.text = text
        self.expanded = expanded
        self.position = 0

    def tokens(self) -> Iterator[Word | str]:
        """Words as tuples, operators as texts; redirections are left out with their targets and here-documents."""
        redirect = ""
        documents: list[tuple[str, str]] = []
        while self.position < len(self.text):
            start = self.position
            word = self._word()
            if word is not None:
                if redirect in ("<<", "<<-"):
                    documents.append((redirect, self.text[start : self.position]))
                elif not redirect:
                    yield word
                redirect = ""
            match = _BARE.match(self.text, self.position)
            if match is None:
                return
            self.position = match.end()
            if match["redirect"]:
                redirect = match[0].lstrip("0123456789")
            elif match["operator"]:
                redirect = ""
                if match[0] == "\n":
                    self._pass_documents(documents)
                    documents.clear()
                yield match[0]

    def _pass_documents(self, documents: list[tuple[str, str]]) -> None:
        """Move behind here-documents, of each its redirection and its word; what no line ends reaches the end."""
        for redirect, word in documents:
            end = word.translate(_QUOTES)
            pattern = _LINE if end == word else _QUOTED_LINE
            tabs = "\t" if redirect == "<<-" else ""
            for line in pattern.finditer(self.text, self.position):
                self.position = line.end()
                if line[0].rstrip("\r\n").replace("\\\n", "").lstrip(tabs) == end:
                    break

    def _word(self) -> Word | None:
        """The word at the place; None where there is something else."""
        parts: list[Part] | None = None
        while (match := _BARE.match(self.text, self.position)) is not None:
            group = match.lastgroup
            if group in ("gap", "operator", "redirect") or (group == "comment" and parts is None):
                break
            parts = parts if parts is not None else []
            if group == "comment":  # in the middle of a word it is none
                self.position += 1
                parts.append("#")
            elif group == "double":
                self.position = match.end()
                parts += self._quoted()
            else:
                parts += self._read(match)
        return None if parts is None else joined(parts)

    def _quoted(self) -> list[Part]:
        # Also `""` is a word, though an empty one.
        parts: list[Part] = [""]
        while (match := _QUOTED.match(self.text, self.position)) is not None:
            if match["end"]:
                self.position = match.end()
                break
            parts += self._read(match)
        return parts

    def _read(self, match: re.Match[str]) -> list[Part]:
        """The parts that a piece stands for; moves behind it."""
        self.position = match.end()
        group, text = match.lastgroup or "", match[match.lastgroup or 0]
        if group in ("braced", "plain"):
            return [Variable(text)]
        if group == "expanded":
            return [self.expanded[int(text)]]
        if group == "computed":
            return [self._computed(match.start())]
        if group == "single":
            # Kubernetes knows no quotes: it has expanded `$(NAME)` in them before the shell begins.
            return self._unmarked(text)
        # A backslash at the end of a line continues it, and leaves nothing in the word.
        return [""] if group == "escaped" and text == "\n" else [text]

    def _unmarked(self, text: str) -> list[Part]:
        """A part of the text with the variables that are put into it, and nothing of a shell."""
        # Marks come in pairs, so every other piece is a number.
        return [
            self.expanded[int(piece)] if index % 2 else piece
            for index, piece in enumerate(text.split(_MARK))
        ]

    def _computed(self, start: int) -> Computed:
        """What a shell would work out, to its end."""
        opening = self.text[start : start + 2]
        if opening == "$(":
            # Parentheses are counted without regard to quotes: only where the part ends is wanted,
            # not what it says.
            depth, end = 0, start + 1
            for end in range(start + 1, len(self.text)):
                depth += {"(": 1, ")": -1}.get(self.text[end], 0)
                if depth == 0:
                    break
            self.position = end + 1
        elif opening == "${" or opening[0] == "`":
            close = self.text.find("}" if opening == "${" else "`", start + 1)
            self.position = len(self.text) if close < 0 else close + 1
        parts = self._unmarked(self.text[start : self.position])
        names = (f"$({part.name})" if isinstance(part, Variable) else part for part in parts)
        # Messages quote it, and it may be a whole script.
        return Computed("".join(map(str, names))[:80])


def assignment(word: Word) -> tuple[str, Word] | None:
    """Name and value of a word such as ``NAME=value``; None for another one."""
    match = _ASSIGNMENT.match(word[0]) if word and isinstance(word[0], str) else None
    if match is None:
        return None
    return match[1], joined([match.string[match.end() :], *word[1:]])
