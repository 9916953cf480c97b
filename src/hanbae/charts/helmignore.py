"""What ``.helmignore`` keeps out of a chart: Helm's own reading of its rules, in Go's ``filepath.Match``.

A branch writes both the patterns and the names, so no pattern becomes a regular expression, where a few stars take
minutes: a part between slashes is matched by going back to its last star only, and the work for a chart has an end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.policy import globs

_MOST_RULES: Final = 1000
_LONGEST: Final = 4096
_MOST_WORK: Final = 50_000_000
"""Characters of patterns times characters of names, for all files of a chart: a few seconds."""
_TOO_SLOW: Final = "its patterns take too long over the chart's files"
_TOKEN: Final = patterns.lazy(r"\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|([*?])|([^\\\[*?])", re.DOTALL)

_MEMBER: Final = patterns.lazy(r"(?P<first>\\.|[^\\-])(?:-(?P<last>\\.|[^\\-]))?", re.DOTALL)
"""A letter of a class, or two with a hyphen between them."""


class _Any(Struct, frozen=True):
    """One letter of some kind: any, or one of a class.

    Attributes:
        ranges: The first and the last letter of each range of a class; None for any letter.
        negated: Whether it is a letter that is in none of them.
    """

    ranges: tuple[tuple[str, str], ...] | None = None
    negated: bool = False

    def matches(self, letter: str) -> bool:
        if self.ranges is None:
            return True
        return any(first <= letter <= last for first, last in self.ranges) is not self.negated


_STAR: Final = None
_Part = tuple[str | _Any | None, ...]
"""A part of a pattern between slashes: letters, classes of letters, and None for a star."""


class _Rule(Struct, frozen=True):
    """One line of the file.

    Attributes:
        negated: Whether it keeps out what it does not match.
        only_folders: Whether it is about folders only.
        whole: Whether it is about the whole path, and not about the last name in it.
        parts: The pattern.
        suffix: What a name ends with, where the pattern is a star and that.
    """

    negated: bool
    only_folders: bool
    whole: bool
    parts: tuple[_Part, ...]
    suffix: str | None

    @property
    def size(self) -> int:
        """How long the pattern is."""
        return sum(map(len, self.parts))

    def matches(self, path: str) -> bool:
        """Whether a path, or the last name in it, is what the pattern says."""
        name = path if self.whole else path.rpartition("/")[2]
        if self.suffix is not None:
            return "/" not in name and name.endswith(self.suffix)
        names = name.split("/")
        return len(names) == len(self.parts) and all(map(_part_matches, self.parts, names))


class Rules:
    """The rules of one ``.helmignore``, for the files of one chart.

    Args:
        text: The file's text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._left = _MOST_WORK
        self._folders: dict[str, bool] = {}

    def keeps_out(self, name: str) -> bool:
        """Whether a file is kept out, itself or by a folder that it is in.

        Args:
            name: Its path in the chart's folder.

        Raises:
            ValueError: A pattern is malformed, or they are too many, too long or too slow over the chart's files.
        """
        folder = name.rpartition("/")[0]
        return (bool(folder) and self._keeps_out_folder(folder)) or self._applies(
            name, folder=False
        )

    def _keeps_out_folder(self, folder: str) -> bool:
        if folder not in self._folders:
            parts = folder.split("/")
            # Not recursive: names are deep when somebody wants them to be.
            self._folders[folder] = any(
                self._applies("/".join(parts[:cut]), folder=True)
                for cut in range(1, len(parts) + 1)
            )
        return self._folders[folder]

    def _applies(self, path: str, *, folder: bool) -> bool:
        # Work counts for what was recalled as well: whether a chart is refused must not depend on
        # what was asked before it.
        applies, work = _applied(self._text, path, folder=folder)
        self._left -= work
        if self._left < 0:
            raise ValueError(_TOO_SLOW)
        return applies


@lru_cache(
    maxsize=8192
)  # the services of a repository have the same rules, and files of the same names
def _applied(text: str, path: str, *, folder: bool) -> tuple[bool, int]:
    """Whether a path is kept out, and the work for that. A negated rule takes away what it does not match."""
    work = 0
    for rule in _compiled(text):
        about = folder or not rule.only_folders
        # A suffix is compared at once, whatever its length.
        if about and rule.suffix is None:
            work += rule.size * len(path)
            if work > _MOST_WORK:
                raise ValueError(_TOO_SLOW)
        if (about and rule.matches(path)) is not rule.negated:
            return True, work
    return False, work


def _part_matches(part: _Part, name: str) -> bool:
    """Whether a name without slashes is what a part of a pattern says."""
    return globs.wildcards_match(
        part,
        name,
        is_star=lambda token: token is _STAR,
        takes=lambda token, letter: (
            token.matches(letter) if isinstance(token, _Any) else token == letter
        ),
    )


@lru_cache(maxsize=64)
def _compiled(text: str) -> tuple[_Rule, ...]:
    rules: list[_Rule] = []
    # The last one is Helm's own rule for every chart: no hidden files among the templates.
    for line in [*text.removeprefix("\ufeff").split("\n"), "templates/.?*"]:
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        if "**" in rule:
            message = "double-star (**) syntax is not supported"
            raise ValueError(message)
        if len(rules) > _MOST_RULES or len(rule) > _LONGEST:
            message = f"more than {_MOST_RULES} patterns, or one of more than {_LONGEST} characters"
            raise ValueError(message)
        negated, rule = rule.startswith("!"), rule.removeprefix("!")
        only_folders, rule = rule.endswith("/"), rule.removesuffix("/")
        rules.append(_rule(rule, negated=negated, only_folders=only_folders))
    return tuple(rules)


def _rule(glob: str, *, negated: bool, only_folders: bool) -> _Rule:
    parts = _parts(glob.removeprefix("/"))
    first, rest = parts[0][:1], parts[0][1:]
    letters = [token for token in rest if isinstance(token, str)]
    is_suffix = len(parts) == 1 and first == (_STAR,) and len(letters) == len(rest)
    suffix = "".join(letters) if is_suffix else None
    return _Rule(negated, only_folders, "/" in glob, parts, suffix)


def _parts(glob: str) -> tuple[_Part, ...]:
    """A pattern of Go's ``filepath.Match``, part by part.

    Raises:
        ValueError: It is malformed.
    """
    parts: list[list[str | _Any | None]] = [[]]
    position = 0
    while position < len(glob):
        token = _valid(_TOKEN.match(glob, position), glob)
        position = token.end()
        escaped, negated, members, wild, plain = token.groups()
        if wild:
            parts[-1].append(_STAR if wild == "*" else _Any())
        elif members is not None:
            parts[-1].append(_Any(tuple(_ranges(glob, members)), bool(negated)))
        elif (escaped or plain) == "/":
            parts.append([])
        else:
            parts[-1].append(escaped or plain)
    return tuple(tuple(part) for part in parts)


def _ranges(glob: str, members: str) -> Iterator[tuple[str, str]]:
    """The ranges of a class; one letter is a range, and a hyphen that stands for itself has a backslash before it."""
    position = 0
    while position < len(members):
        member = _valid(_MEMBER.match(members, position), glob)
        position = member.end()
        first, last = member["first"], member["last"] or member["first"]
        yield first.removeprefix("\\"), last.removeprefix("\\")


def _valid(match: re.Match[str] | None, glob: str) -> re.Match[str]:
    """What stands at a place of a pattern.

    Raises:
        ValueError: Nothing that a pattern may have.
    """
    if match is None:
        message = f"syntax error in pattern: {glob}"
        raise ValueError(message)
    return match
