"""Everything that hanbae can fail with on purpose.

The tree::

    Error                                       the root
    ├── WrongUse                       exit 2   the command line asks for something that cannot be
    │   └── FileFault                  exit 2   a fault in a file of the user's, with file:line
    ├── Failed                         exit 1   the work was done and its outcome is bad
    ├── Refused                        exit 5   nothing was changed, and why
    ├── Unreachable                    exit 4   an environment, registry or remote did not answer
    │   └── Forbidden                  exit 4   it answered that we may not
    ├── Lacking                        exit 4   this machine lacks something that the command needs
    └── Stopped                        exit 130 the user ended it

Each error carries a :class:`hanbae.wording.Text` and, where a person can go somewhere to mend it, a
:class:`hanbae.subjects.Place`.
The words are found in the catalogue at the edge; an exception outside this tree is a bug of ours
(exit 70).
The exceptions of libraries are translated at the package that calls them and never leave it.
None of these is one of Python's own kinds: what catches ``ValueError`` or ``OSError`` for a library's sake would
swallow, or put into other words, what we have to say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import ClassVar, Self

from hanbae import subjects, wording


class Error(Exception):
    """The root: whoever catches this catches every expected failure of hanbae.

    Args:
        text_id: The id of the sentence in the catalogue.
        place: Where in the user's files the cause is, if it is in one.
        facts: The facts for the sentence. Keep secrets out.

    Attributes:
        hint: What helps in the command that was run, said after the error; None by default.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, text_id: str, /, *, place: subjects.Place | None = None, **facts: str
    ) -> None:
        self.text = wording.Text(text_id, facts)
        self.place = place
        self.hint: wording.Text | None = None
        super().__init__(str(self.text))

    @classmethod
    def saying(cls, text: wording.Text, place: subjects.Place | None = None) -> Self:
        """The error of a text that arose elsewhere; its facts may have any names.

        Args:
            text: The text.
            place: Where in the user's files the cause is, if it is in one.
        """
        error = cls(text.id, place=place)
        error.text = text
        error.args = (str(text),)
        return error

    @property
    def texts(self) -> tuple[wording.Text, ...]:
        """All that the error has to say; one sentence, unless several faults are told at once."""
        return (self.text,)

    def __str__(self) -> str:
        """Place and unworded text: for logs; people see the catalogue's sentence."""
        return f"{self.place}: {self.text}" if self.place else str(self.text)


class WrongUse(Error):
    """The command line or the call asks for something that cannot be, such as an unknown service."""

    exit_code: ClassVar[int] = 2


class FileFault(WrongUse):
    """A fault in a file of the user's; `place` says where."""


class Failed(Error):
    """The work was done and its outcome is bad: a deployment that failed, a gate that did not pass."""

    exit_code: ClassVar[int] = 1


class Refused(Error):
    """hanbae would not do it; nothing was changed."""

    exit_code: ClassVar[int] = 5


class Unreachable(Error):
    """An environment, a registry or a git remote did not answer; trying again later may help."""

    exit_code: ClassVar[int] = 4


class Forbidden(Unreachable):
    """The other side answered that this identity may not; trying again does not help."""


class Lacking(Error):
    """This machine lacks something that the command needs: a program, a right, a Python extra."""

    exit_code: ClassVar[int] = 4


class Stopped(Error):
    """The user ended it; the text says how to go on."""

    exit_code: ClassVar[int] = 130


@contextlib.contextmanager
def starting(program: str) -> Iterator[None]:
    """Around the start of a program, which the system may refuse: that is no bug of ours.

    Args:
        program: The program, as a person knows it.

    Raises:
        Lacking: It may not be run or is none of this machine's, there is no memory for it, or the folder that it was to
            run in is gone.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        if error.filename and str(error.filename) != program:
            why = f"{error.filename}: {why}"
        raise Lacking("main.unstarted", program=program, why=why) from error
