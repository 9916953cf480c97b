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

from hanbae import patterns

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


class Document(Struct, eq=False):
    """What a command is given on its standard input: a here-document, or bash's here-string.

    Attributes:
        text: The text; of a here-document it is there once the tokens of the line with its redirection are read.
    """

    text: Word = ()


Token = Word | str | Document

_REFERENCE: Final = (
    r"\0(?P<expanded>[0-9]+)\0"
    r"|\$\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|\$(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<computed>\$\(|\$\{|`|\$[0-9@*#?!$-])"
)
# Alternatives are tried in order: `>&` and `&>` have to be redirections before `&` is an operator. The
# last one takes any character, such as a quote that is never closed, so that the lexer always moves on.
# What a backslash stands before may be a variable that is put in, and then the backslash is nothing.
_BARE: Final = patterns.lazy(
    r"(?P<gap>[ \t\r]+|\\\r?\n)|(?P<comment>#[^\n]*)"
    r"|(?P<redirect>(?:[0-9]*(?:<<<|>>|>&|>\||<<-?|<&|<>|>|<))|&>>?)"
    r"|(?P<operator>\n|;;|;|&&|\|\||\||&|\(|\))"
    r"|'(?P<single>[^']*)'|(?P<double>\")|\\(?P<escaped>[^\0]|(?=\0))|"
    + _REFERENCE
    + r"|(?P<text>[^\s'\"\\$`;&|<>()#\0]+)|(?P<other>.)",
    re.DOTALL,
)
# Inside double quotes a backslash is itself, except in front of these five.
_QUOTED: Final = patterns.lazy(
    r"(?P<end>\")|\\(?P<escaped>[\"\\$`\n])|"
    + _REFERENCE
    + r"|(?P<text>[^\"\\$`\0]+)|(?P<other>.)",
    re.DOTALL,
)
# In a here-document double quotes are nothing.
_UNQUOTED: Final = patterns.lazy(
    r"\\(?P<escaped>[\\$`\n])|" + _REFERENCE + r"|(?P<text>[^\\$`\0]+)|(?P<other>.)",
    re.DOTALL,
)
# A line of a here-document. Unless the word that ends it is quoted, a backslash continues it, also into that word.
_QUOTED_LINE: Final = patterns.lazy(r"[^\n]*\n?")
_LINE: Final = patterns.lazy(r"(?:[^\\\n]|\\.)*\\?\n?", re.DOTALL)
_QUOTES: Final = str.maketrans("", "", "'\"\\")
_ASSIGNMENT: Final = patterns.lazy(r"([A-Za-z_][A-Za-z0-9_]*)=")


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


def tokens(script: Word) -> Iterator[Token]:
    """The words and operators of a shell text, operators as texts; nothing of one that is too long to be read.

    Where a redirection stands that gives a command its input with the text itself, there is a :class:`Document`.

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
        self._documents: list[tuple[str, str, Document]] = []

    def tokens(self) -> Iterator[Token]:
        """Words as tuples, operators as texts; other redirections than documents are left out with their targets."""
        redirect = ""
        arithmetic, arithmetic_end = _arithmetic(self.text), 0
        while self.position < len(self.text):
            start = self.position
            word = self._word()
            if word is not None:
                yield from self._placed(word, redirect, self.text[start : self.position])
                redirect = ""
            match = _BARE.match(self.text, self.position)
            if match is None:
                return
            self.position = match.end()
            if match["redirect"]:
                # In arithmetic it is a comparison, or a shift: no document follows.
                redirect = "<" if match.start() < arithmetic_end else match[0].removeprefix("0")
            elif match["operator"]:
                redirect = ""
                arithmetic_end = max(arithmetic_end, arithmetic.get(match.start(), 0))
                if match[0] == "\n":
                    self._pass_documents()
                yield match[0]

    def _placed(self, word: Word, redirect: str, written: str) -> Iterator[Token]:
        """What a word is behind a redirection, or without one; of another input than the standard one nothing."""
        # What follows a here-document's line is its text; until there is such a line, it has none.
        document = Document(word if redirect.endswith("<<<") else ())
        if redirect.lstrip("0123456789") in ("<<", "<<-"):
            self._documents.append((redirect, written, document))
        if not redirect:
            yield word
        elif redirect.startswith("<<"):
            yield document

    def _pass_documents(self) -> None:
        """Move behind here-documents, of each its redirection and its word; what no line ends reaches the end."""
        for redirect, word, document in self._documents:
            end = word.translate(_QUOTES)
            is_quoted = end != word
            pattern = _QUOTED_LINE if is_quoted else _LINE
            tabs = "\t" if redirect.endswith("-") else ""
            lines = []
            for line in pattern.finditer(self.text, self.position):
                self.position = line.end()
                if line[0].rstrip("\r\n").replace("\\\n", "").lstrip(tabs) == end:
                    break
                lines.append(line[0].lstrip(tabs))
            text = "".join(lines)
            parts = self._unmarked(text) if is_quoted else _Lexer(text, self.expanded).unquoted()
            document.text = joined(parts)
        self._documents.clear()

    def unquoted(self) -> list[Part]:
        """The whole text as that of a here-document."""
        parts: list[Part] = []
        while (match := _UNQUOTED.match(self.text, self.position)) is not None:
            parts += self._read(match)
        return parts

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


def _arithmetic(text: str) -> dict[int, int]:
    """Where bash's ``((…))`` begin on a line, and the ends of them: in there nothing is a redirection.

    Other shells have subshells there, which nobody gives a here-document on one line.
    """
    ends: dict[int, int] = {}
    if "((" not in text:
        return ends
    for line in _QUOTED_LINE.finditer(text):
        opened: list[int] = []
        for position in range(line.start(), line.end()):
            if text[position] == "(":
                opened.append(position)
            elif text[position] == ")" and opened:
                start = opened.pop()
                if text[start - 1 : start] == "(" and text.startswith("))", position):
                    ends[start - 1] = position + 2
    return ends


def assignment(word: Word) -> tuple[str, Word] | None:
    """Name and value of a word such as ``NAME=value``; None for another one."""
    match = _ASSIGNMENT.match(word[0]) if word and isinstance(word[0], str) else None
    if match is None:
        return None
    return match[1], joined([match.string[match.end() :], *word[1:]])
