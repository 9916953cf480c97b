"""Which programs a container runs, as far as its command, its arguments and a shell's text in them say."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import patterns
from hanbae.releases import shell_commands, shell_options, shells
from hanbae.releases.shells import Word


class Invocation(Struct, frozen=True):
    """A program with its arguments.

    Attributes:
        words: The program, then its arguments; what a shell's assignments say is put in.
        assignments: Variables that a shell sets for it, or has set before.
        folder: The folder that a shell has gone to; None for the image's own.
        within: Whether it may run several times, or not at all.
        is_named: Whether the container names the program; else it is the image's entry point, and `words` are its
            arguments alone.
        from_shell: Whether a shell runs it.
        input: What a shell's text gives it on its standard input; None for nothing.
    """

    words: tuple[Word, ...]
    assignments: Mapping[str, Word] = {}
    folder: Word | None = None
    within: shell_commands.Within = ""
    is_named: bool = True
    from_shell: bool = False
    input: Word | None = None

    @property
    def program(self) -> str:
        """The program's name without its folder; empty where it is not to be read."""
        text = shells.literal(self.words[0]) if self.words and self.is_named else None
        return (text or "").rpartition("/")[2]


class _Wrapper(Struct, frozen=True):
    """A program that runs another one.

    Attributes:
        words: How many words in front of the other one are its own.
        options: Its options whose value is the word behind them, if they change nothing of what is read here.
    """

    words: int = 0
    options: tuple[str, ...] = ()


_SHELL: Final = patterns.lazy(r"(?:ba|da|a|z|k)?sh")
_LONG_OPTIONS: Final = frozenset({"-login", "-noprofile", "-norc", "-posix", "-restricted"})
"""Bash takes its long options with one hyphen as well."""
_OPTIONS: Final = patterns.lazy(r"[-+][a-zA-Z]+")
"""Options of a shell, several in one word: ``-ec``."""
_WRAPPERS: Final[Mapping[str, _Wrapper]] = {
    "catatonit": _Wrapper(),
    "command": _Wrapper(),
    "dumb-init": _Wrapper(options=("-r", "--rewrite")),
    "env": _Wrapper(options=("-u", "--unset")),
    "exec": _Wrapper(options=("-a",)),
    "gosu": _Wrapper(words=1),
    "nice": _Wrapper(options=("-n", "--adjustment")),
    "nohup": _Wrapper(),
    "su-exec": _Wrapper(words=1),
    "sudo": _Wrapper(options=("-u", "--user", "-g", "--group")),
    "timeout": _Wrapper(words=1, options=("-k", "--kill-after", "-s", "--signal")),
    "tini": _Wrapper(options=("-e", "-p")),
    "xargs": _Wrapper(),
}
_FROM_INPUT: Final[Word] = ("/dev/stdin",)
_OPTIONS_OF_CD: Final = frozenset({"--", "-L", "-P"})
# How many shells may stand in each other, `sh -c 'bash -c "..."'`: the text is a chart's, so it is bounded.
_DEEPEST: Final = 4
_MOST: Final = 4 * shells.LONGEST
"""Letters that all shells of a container may read and put in for variables, and variables that commands and subshells
may have of their own: what comes then is left unread. Each command may have all variables, each shell run a script."""


class _Exhausted(Exception):
    """More than is read."""


def of(container: Mapping[str, Any], variables: Container[str]) -> tuple[Invocation, ...]:
    """What a container runs, in its order; its arguments alone where the image's entry point takes them.

    Args:
        container: The container, whatever shape it has.
        variables: The names of its variables, which Kubernetes expands.
    """
    command, args = _words(container.get("command")), _words(container.get("args"))
    words = tuple(shells.argument(text, variables) for text in (*command, *args))
    place = container.get("workingDir")
    folder = (place,) if isinstance(place, str) and place else None
    # Arguments without a command go to the image's entry point. Where they begin with a shell, an
    # entry point that runs its arguments, such as tini, is assumed.
    if not command and not (args and _SHELL.fullmatch(args[0].rpartition("/")[2])):
        return (Invocation(words, folder=folder, is_named=False),)
    return tuple(_read(Invocation(words, folder=folder)))


def _words(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else ()
    return [str(entry) for entry in entries if isinstance(entry, str | int | float)]


class _Budget:
    """How much of a container's text is still read."""

    def __init__(self, size: int) -> None:
        self._size = size

    def take(self, size: int) -> None:
        self._size -= size
        if self._size < 0:
            raise _Exhausted


def _read(invocation: Invocation) -> Iterator[Invocation]:
    with contextlib.suppress(_Exhausted):
        yield from _run(invocation, 0, _Budget(_MOST))


def _run(invocation: Invocation, depth: int, budget: _Budget) -> Iterator[Invocation]:
    """What an invocation comes to: what the shell or the wrapper that it calls runs."""
    texts = [_text(word) for word in invocation.words]
    skipped, assignments = _wrapped(invocation.words, texts)
    texts = texts[skipped:]
    inner = msgspec.structs.replace(
        invocation,
        words=invocation.words[skipped:],
        assignments={**invocation.assignments, **assignments},
    )
    program = texts[0].rpartition("/")[2] if texts else ""
    if _SHELL.fullmatch(program) and depth < _DEEPEST:
        script = _script(inner, texts)
        if script is not None:
            yield from _of_shell(script, inner, depth, budget)
            return
    if inner.words:
        yield inner


def _text(word: Word) -> str:
    """The text of a word, with a ``$`` for each part that is none."""
    return "".join(part if isinstance(part, str) else "$" for part in word)


def _wrapped(words: Sequence[Word], texts: Sequence[str]) -> tuple[int, dict[str, Word]]:
    """How many words in front are a wrapper's, and which variables it sets."""
    position, assignments = 0, {}
    # Wrappers may stand in a row, as in `exec env A=b timeout 60 goose up`.
    while position < len(texts):
        wrapper = _WRAPPERS.get(texts[position].rpartition("/")[2])
        if wrapper is None:
            break
        position += 1
        while position < len(texts):
            option = texts[position]
            pair = shells.assignment(words[position])
            if pair is not None:
                assignments[pair[0]] = pair[1]
            elif not option.startswith("-"):
                break
            position += 2 if _takes_next(option, wrapper.options) else 1
        position += wrapper.words
    return position, assignments


def _takes_next(option: str, valued: Sequence[str]) -> bool:
    """Whether an option's value is the next word: not of ``-uapp``, which has it in itself."""
    if option.startswith("--"):
        return option in valued
    # The first letter that takes a value takes all that stands behind it: `-Eu app`.
    first = next((n for n, letter in enumerate(option) if n and f"-{letter}" in valued), None)
    return option.startswith("-") and first == len(option) - 1


def _script(shell: Invocation, texts: Sequence[str]) -> Word | None:
    """The text that a shell is given: by ``-c``, or on its standard input; None where only a shell knows it."""
    source = _source(shell.words, texts)
    script = shell.input if source == _FROM_INPUT else source
    return None if script is None or _is_computed(script) else script


def _source(words: Sequence[Word], texts: Sequence[str]) -> Word | None:
    """The first word behind a shell's options, where ``-c`` makes it a script; else the name of its standard input.

    None for a file.
    """
    is_text = reads_input = False
    pairs = iter(zip(words[1:], texts[1:], strict=True))
    for word, text in pairs:
        if not text.startswith(("-", "+")):
            # What stands behind the script is `$0`, `$1` and so on.
            reads_input = reads_input or (text,) == _FROM_INPUT
            return word if is_text else _FROM_INPUT if reads_input else None
        if text in _LONG_OPTIONS:
            continue
        if _OPTIONS.fullmatch(text):
            is_text, reads_input = is_text or "c" in text, reads_input or "s" in text
            # `-o` and bash's `-O` take a word of their own, also among other letters: `-euo pipefail`.
            for _ in range(text.lower().count("o")):
                next(pairs, None)
    return None if is_text else _FROM_INPUT


def _is_computed(word: Word) -> bool:
    return any(isinstance(part, shells.Computed) for part in word)


def _of_shell(script: Word, outer: Invocation, depth: int, budget: _Budget) -> Iterator[Invocation]:
    budget.take(_size(script))
    states: dict[shell_commands.Subshell | None, _State] = {
        None: _State(dict(outer.assignments), outer.folder)
    }
    ends = shell_options.ends_at_failures(outer.words[1:])
    for command in shell_commands.commands(script, ends_at_failures=ends):
        state = _state(states, command.subshell, budget)
        bound = state.assignments
        own = {name: _with(value, bound, budget) for name, value in command.assignments}
        words = tuple(_with(word, bound, budget) for word in command.words)
        texts = [shells.literal(word) for word in words]
        if texts[:1] in (["export"], ["readonly"], ["declare"]):
            # `export NAME` without a value assigns nothing and is passed over.
            own |= dict(filter(None, map(shells.assignment, words[1:])))
            words = ()
        if not words:
            # What a branch sets is not known behind it.
            bound |= {
                name: (shells.Computed(name),) if command.within else value
                for name, value in own.items()
            }
        elif texts[0] == "cd":
            # Where a branch goes is not known behind it, like what it sets.
            target = [word for word in words[1:] if shells.literal(word) not in _OPTIONS_OF_CD]
            state.folder = _entered(state.folder, [] if command.within else target)
        else:
            within = outer.within or command.within
            budget.take(len(bound))
            inner = Invocation(
                words,
                {**bound, **own},
                state.folder,
                within,
                from_shell=True,
                input=None if command.input is None else _with(command.input, bound, budget),
            )
            yield from _run(inner, depth + 1, budget)


class _State(Struct):
    """The variables that a shell has set, and its folder."""

    assignments: dict[str, Word]
    folder: Word | None


def _state(
    states: dict[shell_commands.Subshell | None, _State],
    subshell: shell_commands.Subshell | None,
    budget: _Budget,
) -> _State:
    """The state of a subshell: it begins with that of what is around it, and leaves nothing behind."""
    begun = []
    while subshell is not None and subshell not in states:
        begun.append(subshell)
        subshell = subshell.around
    state = states[subshell]
    for inner in reversed(begun):
        budget.take(len(state.assignments))
        state = states[inner] = _State(dict(state.assignments), state.folder)
    return state


def _entered(folder: Word | None, target: Sequence[Word]) -> Word | None:
    """The folder after ``cd``; one that cannot be read without a target."""
    path = shells.literal(target[0]) if target else None
    if path in (None, "-"):
        return (shells.Computed("cd"),)
    before = shells.literal(folder) if folder is not None else ""
    if path.startswith("/") or before == "":
        return (path,)
    if before is None:
        return folder
    return (f"{before.rstrip('/')}/{path}",)


def _with(word: Word, bound: Mapping[str, Word], budget: _Budget) -> Word:
    """A word with the values of the variables that the shell itself has set."""
    parts: list[shells.Part] = []
    size = 0
    for part in word:
        values: Word = (part,)
        if isinstance(part, shells.Variable) and not part.expanded:
            values = bound.get(part.name, values)
        size += _size(values)
        # A text that doubles a variable line by line would soon fill the memory.
        if size > shells.LONGEST:
            return (shells.Computed("…"),)
        parts += values
    budget.take(max(size - _size(word), 0))
    return shells.joined(parts)


def _size(word: Word) -> int:
    return sum(len(part) if isinstance(part, str) else 1 for part in word)
