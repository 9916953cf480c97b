"""Whether a regular expression takes linear time on any text, judged from its syntax.

Python's engine backtracks: a repeat that may give back characters, and a failure behind it, is tried again for each of
them. What is looked for here are the ways in which that multiplies:

- two repeats that can share a run of characters (``\\s*\\n\\s*``, ``.*x.*y``), or one inside the other;
- alternatives in a repeat that can begin with the same character;
- in a search, a repeat whose characters can also begin the pattern: each of them is a new start (``a[ab]*c``).

The judgement is careful rather than exact: what it accepts is linear, what it refuses may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from re import _constants as c  # type: ignore[attr-defined]  # the stable part of a private module: sre_parse of old
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

Characters = frozenset[str]
Item = tuple[Any, Any]

#: A repeat of up to so many is a constant.
BOUNDED: Final = 256
_ALPHABET: Final = frozenset(map(chr, range(256))) | frozenset("가힣\u2028\u3000")
_REPEATS: Final = (c.MAX_REPEAT, c.MIN_REPEAT)
_CATEGORIES: Final = {
    c.CATEGORY_DIGIT: r"\d",
    c.CATEGORY_NOT_DIGIT: r"\D",
    c.CATEGORY_SPACE: r"\s",
    c.CATEGORY_NOT_SPACE: r"\S",
    c.CATEGORY_WORD: r"\w",
    c.CATEGORY_NOT_WORD: r"\W",
}


def complaints(pattern: str, flags: int = 0, *, search: bool, whole: bool = False) -> list[str]:
    """What may make a pattern superlinear.

    Args:
        pattern: The regular expression.
        flags: Its flags.
        search: Whether it is tried from every position: search, finditer, findall, sub and split.
        whole: Whether it must match to the end: fullmatch.
    """
    tree = parser.parse(pattern, flags)
    return list(_Judge(tree.state.flags).judge(list(tree), search=search, whole=whole))


class _Judge:
    def __init__(self, flags: int) -> None:
        self.flags = flags

    def judge(self, items: list[Item], *, search: bool, whole: bool) -> Iterator[str]:
        prefix: list[Characters] | None = [] if search else None
        if search and items and items[0][0] is c.AT:
            if items[0][1] is c.AT_BEGINNING and self.flags & re.MULTILINE:
                prefix = [frozenset("\n")]  # a try begins behind one
            elif items[0][1] in {c.AT_BEGINNING, c.AT_BEGINNING_STRING}:
                prefix = None
        yield from self._sequence(items, prefix, fails=whole)

    def _sequence(
        self, items: Sequence[Item], prefix: list[Characters] | None, *, fails: bool
    ) -> Iterator[str]:
        """What is wrong with a sequence.

        Args:
            items: Its items.
            prefix: What must stand before it for a try to come so far; None where there is only one try.
            fails: Whether it can fail behind its end.
        """
        flat = list(self._flat(items))
        before = None if prefix is None else [*prefix]
        for index, item in enumerate(flat):
            rest = flat[index + 1 :]
            can_fail = fails or any(not self._nullable(part) for part in rest)
            operator, argument = item
            if operator is c.BRANCH:
                for branch in argument[1]:
                    yield from self._sequence([*branch, *rest], before, fails=fails)
                return
            if operator in {c.ASSERT, c.ASSERT_NOT}:
                yield from self._sequence(list(argument[1]), before, fails=True)
                continue
            characters = self._characters([item])
            if operator in _REPEATS and self._is_long(item):
                yield from self._inside(list(argument[2]))
                inside = before is not None and all(part & characters for part in before)
                if inside and can_fail and (before or self._first(flat)[0] & characters):
                    yield f"tries begin inside of a repeat of {_shown(characters)}"
                yield from self._shared(characters, rest, fails=fails)
            elif operator in _REPEATS:
                yield from self._sequence(list(argument[2]), before, fails=can_fail)
            if before is not None and not self._nullable(item) and operator is not c.AT:
                before.append(characters)

    def _inside(self, body: Sequence[Item]) -> Iterator[str]:
        """Ambiguity in what is repeated."""
        flat = list(self._flat(body))
        for operator, argument in flat:
            if operator is c.BRANCH:
                earlier: Characters = frozenset()
                for branch in argument[1]:
                    first = self._first(branch)[0]
                    if first & earlier:
                        yield f"two alternatives in a repeat begin with {_shown(first & earlier)}"
                    earlier |= first
        variable = [part for part in self._all(flat) if self._is_variable(part)]
        if variable and len(flat) + len(variable) > 1:
            ends = ((flat[0], flat[1:]), (flat[-1], flat[:-1]))
            if not any(self._delimits(end, others) for end, others in ends):
                yield "a repeat in a repeat without a character that only begins or ends a round"
        elif variable:
            yield "a repeat of a repeat"

    def _delimits(self, end: Item, others: Sequence[Item]) -> bool:
        if self._nullable(end) or end[0] in _REPEATS:
            return False
        return not self._characters([end]) & self._characters(others)

    def _shared(
        self, characters: Characters, rest: Sequence[Item], *, fails: bool
    ) -> Iterator[str]:
        """Another repeat that can take from the same run."""
        for index, item in enumerate(rest):
            behind = fails or any(not self._nullable(part) for part in rest[index + 1 :])
            first = self._first([item])[0]
            long = [part for part in self._all([item]) if self._is_long(part)]
            common = characters & self._characters(long)
            if first & characters and common and behind:
                yield f"two repeats can share {_shown(common)}"
                return
            if not self._nullable(item) and not characters & first and item[0] is not c.AT:
                return

    def _flat(self, items: Sequence[Item]) -> Iterator[Item]:
        """The items without the groups around them."""
        for operator, argument in items:
            if operator is c.SUBPATTERN:
                yield from self._flat(list(argument[3]))
            elif operator is c.AT:
                if argument in {c.AT_END, c.AT_END_STRING, c.AT_BOUNDARY, c.AT_NON_BOUNDARY}:
                    yield operator, argument
            else:
                yield operator, argument

    def _all(self, items: Sequence[Item]) -> Iterator[Item]:
        """Every item at any depth but in assertions and atomic groups."""
        for operator, argument in self._flat(items):
            yield operator, argument
            if operator in _REPEATS:
                yield from self._all(list(argument[2]))
            elif operator is c.BRANCH:
                for branch in argument[1]:
                    yield from self._all(list(branch))

    def _is_long(self, item: Item) -> bool:
        return item[0] in _REPEATS and item[1][1] - item[1][0] > BOUNDED

    def _is_variable(self, item: Item) -> bool:
        return item[0] in _REPEATS and item[1][1] > item[1][0]

    def _nullable(self, item: Item) -> bool:
        operator, argument = item
        if operator is c.AT:
            return False  # it may fail
        if operator in {c.ASSERT, c.ASSERT_NOT}:
            return False
        if operator in {*_REPEATS, c.POSSESSIVE_REPEAT}:
            return argument[0] == 0 or all(map(self._nullable, self._flat(list(argument[2]))))
        if operator is c.BRANCH:
            return any(all(map(self._nullable, self._flat(list(b)))) for b in argument[1])
        if operator is c.ATOMIC_GROUP:
            return all(map(self._nullable, self._flat(list(argument))))
        return operator is c.GROUPREF

    def _first(self, items: Sequence[Item]) -> tuple[Characters, bool]:
        """What a match can begin with, and whether it can be empty."""
        first: Characters = frozenset()
        for item in self._flat(items):
            operator, argument = item
            if operator in {c.AT, c.ASSERT, c.ASSERT_NOT}:
                continue
            if operator in {*_REPEATS, c.POSSESSIVE_REPEAT}:
                first |= self._first(list(argument[2]))[0]
            elif operator is c.BRANCH:
                for branch in argument[1]:
                    first |= self._first(list(branch))[0]
            elif operator is c.ATOMIC_GROUP:
                first |= self._first(list(argument))[0]
            else:
                first |= self._own(item)
            if not self._nullable(item):
                return first, False
        return first, True

    def _characters(self, items: Sequence[Item]) -> Characters:
        characters: Characters = frozenset()
        for item in self._all(items):
            operator, argument = item
            if operator in {c.POSSESSIVE_REPEAT, c.ATOMIC_GROUP}:
                inner = argument[2] if operator is c.POSSESSIVE_REPEAT else argument
                characters |= self._characters(list(inner))
            else:
                characters |= self._own(item)
        return characters

    def _own(self, item: Item) -> Characters:
        """The characters that one position can hold."""
        operator, argument = item
        if operator is c.LITERAL:
            return self._cases({chr(argument)})
        if operator is c.NOT_LITERAL:
            return _ALPHABET - self._cases({chr(argument)})
        if operator is c.ANY:
            return _ALPHABET if self.flags & re.DOTALL else _ALPHABET - {"\n"}
        if operator is c.IN:
            negated = argument[0][0] is c.NEGATE
            characters: set[str] = set()
            for kind, value in argument:
                if kind is c.LITERAL:
                    characters.add(chr(value))
                elif kind is c.RANGE:
                    characters |= {char for char in _ALPHABET if value[0] <= ord(char) <= value[1]}
                elif kind is c.CATEGORY:
                    category = re.compile(_CATEGORIES[value])
                    characters |= {char for char in _ALPHABET if category.match(char)}
            own = self._cases(characters)
            return _ALPHABET - own if negated else own
        return frozenset()

    def _cases(self, characters: set[str]) -> Characters:
        if self.flags & re.IGNORECASE:
            characters = {
                case for char in characters for case in (char, char.lower(), char.upper())
            }
        return frozenset(characters)


def _shown(characters: Characters) -> str:
    return repr("".join(sorted(characters))[:12])
