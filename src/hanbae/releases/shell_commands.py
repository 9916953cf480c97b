"""The commands of a shell text, and of each of them whether it surely runs, and once.

A condition is none where the shell ends with a failure in every other way: behind ``if ! cd /app; then exit 1; fi`` and
``[ -d /app ] && cd /app || exit 1`` the folder is ``/app``, or nothing runs any more.
Nobody waits for the end of a text that is not closed: what is open is closed at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from hanbae import patterns
from hanbae.releases import shell_options, shells
from hanbae.releases.shells import Word

Within = Literal["", "loop", "condition"]
_End = Literal["", "ends", "status", "fails"]
"""Whether the shell ends in a command: with any status, that of the command before, or one that is a failure."""


class Subshell(Struct, frozen=True, eq=False):
    """A pair of parentheses: what is set in it is gone behind it.

    Attributes:
        around: The one that it stands in; None for none.
    """

    around: Subshell | None


class Command(Struct, frozen=True):
    """A simple command.

    Attributes:
        words: Its words, assignments in front of it left out; empty where there are only those.
        assignments: Name and value of the assignments in front of it.
        within: Whether it may run several times, or not at all.
        subshell: The subshell that it runs in; None for none.
        input: What the script gives it on its standard input; None for nothing.
    """

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, Word], ...] = ()
    within: Within = ""
    subshell: Subshell | None = None
    input: Word | None = None

    @property
    def name(self) -> str:
        """Its first word; empty where that is not to be read."""
        return (shells.literal(self.words[0]) or "") if self.words else ""


class _Doubt(Struct, eq=False):
    """Why commands may run several times, or not at all.

    Attributes:
        kind: Which of both.
        around: The doubt that it stands in; None for none.
        is_settled: Whether it is none, because the shell ends with a failure where they do not run.
    """

    kind: Within
    around: _Doubt | None
    is_settled: bool = False


class _Place(Struct, frozen=True):
    """Where commands stand: under which doubt, in which subshell, and how deep."""

    doubt: _Doubt | None = None
    subshell: Subshell | None = None
    depth: int = 0

    def under(self, kind: Within) -> tuple[_Doubt, _Place]:
        """A doubt here, and the place under it."""
        doubt = _Doubt(kind, self.doubt)
        return doubt, msgspec.structs.replace(self, doubt=doubt)

    def is_failure(self, end: _End) -> bool:
        """Whether what ends so here ends with a failure as a whole: of a subshell that is not certain."""
        return end == "fails" and self.subshell is None


class _TooDeepError(Exception):
    """More commands within each other than anybody writes."""


_DEEPEST: Final = 50
_SEPARATORS: Final = frozenset({"\n", ";", "&"})
_CLOSING: Final = frozenset({"then", "do", "else", "elif", "fi", "done", "esac", "}"})
_TESTS: Final = frozenset({"[", "[[", "test"})
_LEAVING: Final = frozenset({"exec", "eval", ".", "source"})
"""Commands behind which the shell may be no more, whatever follows them."""
_FAILURE: Final = patterns.lazy(r"0{0,9}(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])")
_SOMEWHERE: Final[tuple[Word, ...]] = (("cd",), (shells.Computed("cd"),))


def commands(script: Word, *, ends_at_failures: bool = False) -> tuple[Command, ...]:
    """The simple commands of a shell text, in their order; nothing of a text that is too long or too deep.

    Behind a ``cd`` whose failure the shell survives stands another one, to a folder that cannot be read.

    Args:
        script: The text, as ``sh -c`` is given it.
        ends_at_failures: Whether the shell has ``-e`` from the beginning.
    """
    try:
        return _Reader(shells.tokens(script), ends_at_failures=ends_at_failures).commands()
    except _TooDeepError:
        return ()


class _Function(Struct, eq=False):
    """A function of the script.

    Attributes:
        end: Whether the shell ends where it is called.
        may_leave: Whether the shell may end in it without a failure.
        doubt: What is settled where it is surely this one that its name calls.
    """

    end: _End
    may_leave: bool
    doubt: _Doubt


class _Reader:
    """Reads tokens by the shell's grammar."""

    def __init__(self, tokens: Iterable[shells.Token], *, ends_at_failures: bool) -> None:
        self._tokens = tuple(tokens)
        self._last = {
            token if isinstance(token, str) else shells.literal(token): position
            for position, token in enumerate(self._tokens)
            if not isinstance(token, shells.Document)
        }
        self._ends_at_failures = ends_at_failures
        self._functions: dict[str, _Function] = {}
        self._position = 0
        self._commands: list[Command] = []
        self._doubts: list[_Doubt | None] = []
        self._settled: list[_Doubt] = []
        self._compounds: dict[str, Callable[[_Place], _End]] = {
            "{": self._group,
            "if": self._if,
            "case": self._case,
            "for": self._for,
            "select": self._for,
            "while": self._while,
            "until": self._while,
            "function": self._function,
        }

    def commands(self) -> tuple[Command, ...]:
        """All commands."""
        place = _Place()
        while self._has_more():
            self._list(place)
            # What closes nothing, such as a `fi` without an `if`: nobody can tell what stands in what.
            self._position += 1
            _, place = _Place().under("condition")
        return tuple(
            msgspec.structs.replace(command, within=_within(doubt))
            for command, doubt in zip(self._commands, self._doubts, strict=True)
        )

    def _has_more(self) -> bool:
        return self._position < len(self._tokens)

    def _operator(self) -> str:
        """The operator at the place; empty where there is none."""
        token = self._tokens[self._position] if self._has_more() else ""
        return token if isinstance(token, str) else ""

    def _word(self) -> str:
        """The text of the word at the place; empty where there is none, or it is more than a text."""
        token = self._tokens[self._position] if self._has_more() else ""
        return (shells.literal(token) or "") if isinstance(token, tuple) else ""

    def _pass(self, *tokens: str) -> bool:
        """Move behind an operator or a word, if it is at the place."""
        is_there = (self._operator() or self._word()) in tokens
        self._position += is_there
        return is_there

    def _pass_lines(self) -> None:
        while self._operator() == "\n":
            self._position += 1

    def _list(self, place: _Place) -> _End:
        """Commands up to what closes something."""
        end: _End = ""
        start = len(self._commands)
        while self._has_more():
            if self._operator() in (")", ";;") or self._word() in _CLOSING:
                break
            if self._pass(*_SEPARATORS):
                continue
            before, settled = self._position, len(self._settled)
            last = self._chain(place)
            if self._operator() == "&":
                last = self._elsewhere(settled)
            # The command before it is not the one that failed, and what may end the shell before a failure does,
            # as in `[ -n "$X" ] && exit 0; exit 1`, may be none.
            if last == "status" or (
                last == "fails" and not end and self._may_leave(start, "return")
            ):
                last = "ends"
            end = end or last
            self._position += self._position == before  # an operator where no command can be
        return end

    def _elsewhere(self, settled: int) -> _End:
        """What was read since some doubts were settled runs in another shell: its end settles nothing in this one."""
        for doubt in self._settled[settled:]:
            doubt.is_settled = False
        return ""

    def _settle(self, doubt: _Doubt, is_settled: object) -> None:
        doubt.is_settled = bool(is_settled)
        self._settled.append(doubt)

    def _chain(self, place: _Place) -> _End:
        """Commands that ``&&`` and ``||`` join."""
        start, inner = len(self._commands), place
        rest: _Doubt | None = None
        has_cd = False
        end = self._pipeline(place)
        tested = self._is_test(start)
        while self._operator() in ("&&", "||"):
            is_and, before, end = self._operator() == "&&", len(self._commands), ""
            self._position += 1
            self._pass_lines()
            if is_and:
                # What follows `cd /app &&` is taken to run: nobody means that as a choice. What follows
                # `[ -n "$X" ] &&` is a condition, and so is the rest of its chain.
                if tested and rest is None:
                    rest, inner = place.under("condition")
                self._pipeline(inner)
                tested = tested or self._is_test(before)
                continue
            has_cd = has_cd or any(self._is_cd(index, place) for index in range(start, before))
            start = before
            last = self._pipeline(place.under("condition")[1])
            if rest is not None:
                self._settle(rest, place.is_failure("fails" if last == "status" else last))
            if not last and has_cd:
                self._add(Command(_SOMEWHERE, subshell=place.subshell), place)
            rest, inner, tested = None, place, True
        return end

    def _is_test(self, start: int) -> bool:
        return len(self._commands) > start and self._commands[-1].name in _TESTS

    def _is_cd(self, index: int, place: _Place) -> bool:
        command = self._commands[index]
        return command.name == "cd" and command.subshell is place.subshell

    def _pipeline(self, place: _Place) -> _End:
        settled, is_negated = len(self._settled), False
        while self._word() in ("!", "time"):
            is_negated = is_negated or self._word() == "!"
            self._position += 1
        start, end = len(self._commands), self._command(place)
        is_pipe = self._operator() == "|"
        while self._pass("|"):
            while self._pass("\n", "&"):  # `|&` is a pipe as well
                pass
            before, _ = len(self._commands), self._command(place)
            self._pipe(start, before)
            start = before
        if is_pipe:
            end = self._elsewhere(settled)
        return "" if is_negated else end

    def _pipe(self, start: int, before: int) -> None:
        """Give the one command behind a pipe what ``cat`` alone is given in front of it."""
        sources, targets = self._commands[start:before], self._commands[before:]
        if len(sources) == len(targets) == 1 and sources[0].words == (("cat",),):
            input_ = targets[0].input or sources[0].input
            self._commands[before] = msgspec.structs.replace(targets[0], input=input_)

    def _command(self, place: _Place) -> _End:
        compound = self._subshell if self._operator() == "(" else self._compounds.get(self._word())
        if compound is None:
            return self._simple(place)
        if place.depth >= _DEEPEST:
            raise _TooDeepError
        self._position += 1
        end = compound(msgspec.structs.replace(place, depth=place.depth + 1))
        while self._has_more() and isinstance(self._tokens[self._position], shells.Document):
            self._position += 1  # for all of its commands
        return end

    def _simple(self, place: _Place) -> _End:
        words: list[Word] = []
        text: Word | None = None
        is_test = self._word() == "[["
        while self._has_more():
            token = self._tokens[self._position]
            if isinstance(token, shells.Document):
                text = token.text
            elif isinstance(token, tuple):
                words.append(token)
                if is_test and self._word() == "]]":
                    is_test = False  # operators are its own up to here
            elif not is_test:
                break
            self._position += 1
        if words and self._operator() == "(":
            self._position += 1
            if self._pass(")"):
                return self._body(shells.literal(words[-1]) or "", place)
            # A list of bash, or a pattern: nothing that runs.
            words[-1] = (*words[-1], shells.Computed("(…)"))
            self._pass_parentheses()
        assignments: list[tuple[str, Word]] = []
        while words and (pair := shells.assignment(words[0])) is not None:
            assignments.append(pair)
            del words[0]
        if words or assignments:
            command = Command(tuple(words), tuple(assignments), subshell=place.subshell, input=text)
            self._add(command, place)
            self._set(command, place)
            return self._end(command)
        return ""

    def _add(self, command: Command, place: _Place) -> None:
        self._commands.append(command)
        self._doubts.append(place.doubt)

    def _set(self, command: Command, place: _Place) -> None:
        """Follow ``set -e`` and ``set +e``, the first only where it surely runs."""
        if command.name != "set":
            return
        is_read = all(shells.literal(word) is not None for word in command.words)
        is_certain = self._ends_at_failures or (place.doubt is None and place.subshell is None)
        self._ends_at_failures = (
            is_read
            and is_certain
            and shell_options.ends_at_failures(command.words[1:], before=self._ends_at_failures)
        )

    def _end(self, command: Command) -> _End:
        function = self._functions.get(command.name)
        if function is None:
            return _of_exit(command)
        return function.end if function.doubt.is_settled else ""

    def _may_leave(self, start: int, *names: str) -> bool:
        """Whether the shell may end without a failure in a command from an index on; in some more by their names."""
        for command in self._commands[start:]:
            function = self._functions.get(command.name)
            is_leaving = command.name in _LEAVING or command.name in names
            if is_leaving or (function is not None and function.may_leave):
                return True
            if self._end(command) in ("ends", "status"):
                return True
        return False

    def _skip(self, token: str) -> bool:
        """Move behind the next of an operator or word, and whether there is one; else nowhere."""
        if self._last.get(token, -1) < self._position:
            return False
        while not self._pass(token):
            self._position += 1
        return True

    def _pass_parentheses(self) -> None:
        """Move behind those of which the first is passed, to the end where they are not closed."""
        depth = 1
        while depth and self._has_more():
            depth += {"(": 1, ")": -1}.get(self._operator(), 0)
            self._position += 1

    def _group(self, place: _Place) -> _End:
        end = self._list(place)
        self._pass("}")
        return end

    def _subshell(self, place: _Place) -> _End:
        end = self._list(msgspec.structs.replace(place, subshell=Subshell(place.subshell)))
        self._pass(")")
        # By `-e` its failure ends the shell. In another command, such as a group in front of `||`, it may not.
        is_last = place.depth == 1 and self._operator() in ("", "\n", ";")
        return "fails" if end == "fails" and is_last and self._ends_at_failures else ""

    def _function(self, place: _Place) -> _End:
        name = self._word()
        self._position += 1
        if self._pass("("):
            self._pass(")")
        return self._body(name, place)

    def _body(self, name: str, place: _Place) -> _End:
        """The body of a function: its commands run where it is called, and there the shell ends if it ends in it."""
        self._pass_lines()
        if place.depth >= _DEEPEST:
            raise _TooDeepError
        start = len(self._commands)
        inner = place.under("condition")[1]
        end = self._command(msgspec.structs.replace(inner, depth=place.depth + 1))
        if name:
            function = _Function(end, self._may_leave(start), _Doubt("condition", None))
            self._functions[name] = function
            self._settle(function.doubt, place.doubt is None and place.subshell is None)
        return ""

    def _unlike(self, place: _Place) -> _End:
        """What only begins like a compound command is a simple one."""
        self._position -= 1
        return self._simple(place)

    def _for(self, place: _Place) -> _End:
        if not self._skip("do"):
            return self._unlike(place)
        self._list(place.under("loop")[1])
        self._pass("done")
        return ""

    def _while(self, place: _Place) -> _End:
        inner = place.under("loop")[1]
        self._list(inner)
        self._pass("do")
        self._list(inner)
        self._pass("done")
        return ""

    def _case(self, place: _Place) -> _End:
        if not self._skip("in"):
            return self._unlike(place)
        while self._has_more():
            while self._pass("\n", ";;"):
                pass
            if self._pass("esac"):
                break
            if not self._skip(")"):  # behind the patterns
                break
            self._list(place.under("condition")[1])
        return ""

    def _if(self, place: _Place) -> _End:
        self._pass_lines()
        start, first = len(self._commands), self._position
        condition, inner = place.under("condition")
        is_negated = self._pass("!")
        self._list(inner)
        is_single = self._is_single(start, self._tokens[first + is_negated : self._position])
        ways: list[tuple[_Doubt, _End]] = []
        is_complete = is_simple = True
        while (word := self._word()) in ("then", "elif", "else"):
            self._position += 1
            doubt, inner = place.under("condition")
            end = self._list(inner)
            is_complete, is_simple = word == "else", is_simple and word != "elif"
            if word != "elif":
                ways.append((doubt, end))
        self._pass("fi")
        is_complete = is_complete and len(ways) > 1
        for doubt, _ in ways if is_complete else ():
            others = [end for other, end in ways if other is not doubt]
            self._settle(doubt, all(map(place.is_failure, others)))
        if is_single and is_simple and ways and (is_negated or is_complete):
            end = ways[0 if is_negated else 1][1]  # where the condition fails
            # Whatever a shell ends with, nothing runs in another folder than the one that it went to.
            self._settle(condition, place.is_failure(end) or (end and self._is_cd(start, place)))
        return ""

    def _is_single(self, start: int, tokens: Sequence[shells.Token]) -> bool:
        """Whether tokens are one simple command, the first one from an index on, and nothing else."""
        tokens = [token for token in tokens if not isinstance(token, shells.Document)]
        words = [token for token in tokens if token not in (";", "\n")]
        if len(self._commands) != start + 1 or any(isinstance(word, str) for word in words):
            return False
        command = self._commands[start]
        return len(words) == len(command.words) + len(command.assignments)


def _of_exit(command: Command) -> _End:
    if command.name != "exit":
        return ""
    status = command.words[1] if command.words[1:] else (shells.Computed("$?"),)
    if status == (shells.Computed("$?"),):
        return "status"
    return "fails" if _FAILURE.fullmatch(shells.literal(status) or "") else "ends"


def _within(doubt: _Doubt | None) -> Within:
    """What is left of a doubt and those that it stands in."""
    kinds: set[Within] = set()
    while doubt is not None:
        if not doubt.is_settled:
            kinds.add(doubt.kind)
        doubt = doubt.around
    return "loop" if "loop" in kinds else "condition" if kinds else ""
