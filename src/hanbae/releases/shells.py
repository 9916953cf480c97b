"""Shell text, read as far as that is possible without running it.

`shlex` cannot serve: it forgets whether a ``$`` stood in single quotes, takes a ``#`` in the middle of an address for
a comment and keeps a continued line's end.
The text comes from charts, so every pattern takes each character once.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Final, Literal

import msgspec
from msgspec import Struct

LONGEST: Final = 32_768
"""Characters of a text that are read; what is longer is left unread."""


class Variable(Struct, frozen=True):
    """A variable's value in a word: ``$NAME``, ``${NAME}``, or ``$(NAME)`` where Kubernetes expands it."""

    name: str


class Computed(Struct, frozen=True):
    """A part of a word that only a shell can work out, such as ``$(cat /run/url)``."""

    text: str


Part = str | Variable | Computed
Word = tuple[Part, ...]
"""A word of a command; neighbouring texts are one part."""
Within = Literal["", "loop", "condition"]


class Subshell(Struct, frozen=True, eq=False):
    """A pair of parentheses: what is set in it is gone behind it.

    Attributes:
        around: The one that it stands in; None for none.
        opened: How many branches and loops are open where it begins.
    """

    around: Subshell | None
    opened: int


class Command(Struct, frozen=True):
    """A simple command.

    Attributes:
        words: Its words, assignments in front of it left out; empty where there are only those.
        assignments: Name and value of the assignments in front of it.
        within: Whether it may run several times, or not at all.
        subshell: The subshell that it runs in; None for none.
    """

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, Word], ...] = ()
    within: Within = ""
    subshell: Subshell | None = None


# `$$` is Kubernetes' escape for one `$`. Its variables may have dots and dashes in their names, a shell's may not.
_EXPANDED: Final = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
_REFERENCE: Final = (
    # Kubernetes has made one `$` of two before the shell begins, so the first one is nothing.
    r"(?P<doubled>\$(?=\$))"
    r"|\$\((?P<expanded>[A-Za-z_.-][A-Za-z0-9_.-]*)\)"
    r"|\$\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|\$(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<computed>\$\(|\$\{|`|\$[0-9@*#?!-])"
)
# Alternatives are tried in order: `>&` and `&>` have to be redirections before `&` is an operator. The
# last one takes any character, such as a quote that is never closed, so that the lexer always moves on.
_BARE: Final = re.compile(
    r"(?P<gap>[ \t\r]+|\\\r?\n)|(?P<comment>#[^\n]*)"
    r"|(?P<redirect>(?:[0-9]*(?:>>|>&|>\||<<-?|<&|<>|>|<))|&>>?)"
    r"|(?P<operator>\n|;;|;|&&|\|\||\||&|\(|\))"
    r"|'(?P<single>[^']*)'|(?P<double>\")|\\(?P<escaped>.)|"
    + _REFERENCE
    + r"|(?P<text>[^\s'\"\\$`;&|<>()#]+)|(?P<other>.)",
    re.DOTALL,
)
# Inside double quotes a backslash is itself, except in front of these five.
_QUOTED: Final = re.compile(
    r"(?P<end>\")|\\(?P<escaped>[\"\\$`\n])|" + _REFERENCE + r"|(?P<text>[^\"\\$`]+)|(?P<other>.)",
    re.DOTALL,
)
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


def argument(text: str, variables: Container[str]) -> Word:
    """A word of an exec form: Kubernetes expands ``$(NAME)`` in it and nothing else happens to it.

    Args:
        text: The word.
        variables: The names of the container's variables; other references stay as they are.
    """
    parts: list[Part] = []
    end = 0
    for match in _EXPANDED.finditer(text):
        if match[1] is None or match[1] in variables:
            parts += [text[end : match.start()], "$" if match[1] is None else Variable(match[1])]
            end = match.end()
    return joined([*parts, text[end:]])


def literal(word: Word) -> str | None:
    """The text of a word that is nothing but text; None for others."""
    if not word:
        return ""
    return word[0] if len(word) == 1 and isinstance(word[0], str) else None


def commands(text: str, variables: Container[str]) -> tuple[Command, ...]:
    """The simple commands of a shell text, in their order; nothing of a text that is too long.

    Args:
        text: The text, as ``sh -c`` is given it.
        variables: The names of the container's variables, which Kubernetes expands before the shell begins.
    """
    return tuple(_commands(text, variables)) if len(text) <= LONGEST else ()


def joined(parts: list[Part]) -> Word:
    """Parts as a word."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


class _Lexer:
    """Divides a text into words and operators."""

    def __init__(self, text: str, variables: Container[str]) -> None:
        self.text = text
        self.variables = variables
        self.position = 0

    def tokens(self) -> Iterator[Word | str]:
        """Words as tuples, operators as texts; redirections are left out with their targets."""
        redirected = False
        while self.position < len(self.text):
            word = self._word()
            if word is not None:
                if not redirected:
                    yield word
                redirected = False
            match = _BARE.match(self.text, self.position)
            if match is None:
                return
            self.position = match.end()
            if match["redirect"]:
                redirected = True
            elif match["operator"]:
                redirected = False
                yield match[0]

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
        if group == "expanded" and text in self.variables:
            return [Variable(text)]
        if group in ("computed", "expanded"):
            return [self._computed(match.start())]
        if group == "single":
            # Kubernetes knows no quotes: it has expanded `$(NAME)` in them before the shell begins.
            return list(argument(text, self.variables)) or [""]
        # A backslash at the end of a line continues it, and leaves nothing in the word.
        is_nothing = group == "doubled" or (group == "escaped" and text == "\n")
        return [""] if is_nothing else [text]

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
        # Messages quote it, and it may be a whole script.
        return Computed(self.text[start : self.position][:80])


_OPENING: Final[dict[str, str]] = {
    "if": "condition",
    "case": "condition",
    "for": "loop",
    "while": "loop",
    "until": "loop",
    "select": "loop",
}
_CLOSING: Final = frozenset({"fi", "done", "esac"})
_HEADED: Final = frozenset({"for", "case", "select"})
"""Words after which the rest of the command is none that runs."""
_PASSED: Final = frozenset({"then", "do", "else", "elif", "!", "time"})
_TESTS: Final = frozenset({"[", "[[", "test"})


def _commands(text: str, variables: Container[str]) -> Iterator[Command]:
    around: list[str] = []
    words: list[Word] = []
    subshell: Subshell | None = None
    before, tested = "", False
    # The operator at the end closes the last command.
    for piece in (*_Lexer(text, variables).tokens(), ";"):
        if isinstance(piece, tuple):
            words.append(piece)
            continue
        if piece == "(" and words:  # a function: its commands run where it is called
            words = []
            around.append("function")
        elif piece == "(":
            subshell = Subshell(subshell, len(around))
        simple = _simple(words, around, subshell)
        if simple is not None:
            # What follows `cd /app &&` is taken to run: nobody means that as a choice. What follows
            # `[ -n "$X" ] &&` is a condition, and so is the rest of its chain.
            maybe = before == "||" or (before == "&&" and tested)
            tested = maybe or bool(simple.words and literal(simple.words[0]) in _TESTS)
            if maybe and not simple.within:
                simple = msgspec.structs.replace(simple, within="condition")
            yield simple
        # A `)` within a `case` that has begun in the subshell ends a pattern.
        if piece == ")" and subshell is not None and len(around) <= subshell.opened:
            subshell = subshell.around
        words, before = [], piece


def _simple(words: list[Word], around: list[str], subshell: Subshell | None) -> Command | None:
    """The command that words are, without what a shell's grammar has in front of it."""
    rest = list(words)
    while rest:
        word = literal(rest[0]) or ""
        if word in _OPENING:
            around.append(_OPENING[word])
            if word in _HEADED:
                return None
        elif word in _CLOSING or word == "}":
            # Slices, because a text may close what it has not opened.
            del around[-1:]
            if word == "}" and around[-1:] == ["function"]:
                del around[-1:]
            return None
        elif word == "{":
            around.append("")
        elif word not in _PASSED:
            break
        del rest[0]
    assignments: list[tuple[str, Word]] = []
    while rest and (pair := assignment(rest[0])) is not None:
        assignments.append(pair)
        del rest[0]
    if not rest and not assignments:
        return None
    within: Within = "loop" if "loop" in around else "condition" if any(around) else ""
    return Command(tuple(rest), tuple(assignments), within, subshell)


def assignment(word: Word) -> tuple[str, Word] | None:
    """Name and value of a word such as ``NAME=value``; None for another one."""
    match = _ASSIGNMENT.match(word[0]) if word and isinstance(word[0], str) else None
    if match is None:
        return None
    return match[1], joined([match.string[match.end() :], *word[1:]])
