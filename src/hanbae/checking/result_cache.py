"""What was found in a service before, recalled when nothing that was looked at has changed.

Which files a rule reads is its own affair: charts, migrations, another service's values, another branch.
So reading is recorded: what was asked of the tree and the state of what it answered with.
A kept result is recalled only if every one of these questions would be answered the same today; for that the ids that
git has are compared, and no unchanged file is read.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors
from hanbae.checking import program_fingerprint
from hanbae.repository import keeping, revisions, trees
from hanbae.rules import rulebook, views

_LINK: Final = "link:"
_ABSENT: Final = "absent"
_COMPUTED: Final = "@"
Question = tuple[str, str, str]
"""Name of the tree (empty for the one that is checked), the method, and its argument."""


class _Entry(Struct, array_like=True):
    """What is kept: what was asked, the states of the answers, and the result."""

    questions: list[Question]
    states: list[str]
    result: msgspec.Raw


class _States:
    """The states of a tree's files, listed once for all services."""

    def __init__(self, tree: trees.Tree) -> None:
        self.tree = tree

    @cached_property
    def _files(self) -> Mapping[str, str]:
        return self.tree.files()

    @cached_property
    def _paths(self) -> list[str]:
        return list(self._files)

    def of(self, method: str, argument: str) -> str | None:
        """What an answer depends on; None where that cannot be told without asking."""
        if method == "read":
            return self._file(argument)
        if method == "files":
            return self._folder(argument)
        found = getattr(self.tree, method)
        try:
            return repr(found(argument) if argument else found())
        except errors.Error as error:
            return f"error {error.text.id}"

    def _file(self, path: str) -> str | None:
        if isinstance(self.tree, revisions.Revision):
            known = self.tree.stamp(path)
            return known if known is not None else self._content(path)
        known = self._files.get(path)
        if known is None:
            return None if self._is_behind_a_link(path) else _ABSENT
        if not known.startswith((_LINK, trees.UNREADABLE)):
            return known
        return self._content(path)

    def _content(self, path: str) -> str:
        try:
            return hashlib.sha256(self.tree.read(path) or b"").hexdigest()
        except errors.Error as error:
            return f"error {error.text.id}"

    def _folder(self, path: str) -> str | None:
        if isinstance(self.tree, revisions.Revision):
            return self.tree.stamp(path)
        if self._is_behind_a_link(path):
            return None
        found = trees.below(self._paths, self._files, path) if path else self._files
        hashed = hashlib.sha256()
        for name, known in found.items():
            hashed.update(f"{name}\0{known}\n".encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()

    def _is_behind_a_link(self, path: str) -> bool:
        parts = path.strip("/").split("/")
        return any("/".join(parts[:at]) in self._files for at in range(1, len(parts) + 1)) and (
            path not in self._files
        )


class _Recorded:
    """A tree that remembers what it was asked."""

    def __init__(self, name: str, tree: trees.Tree, asked: dict[Question, None]) -> None:
        self._name, self._tree, self._asked = name, tree, asked
        self._contents: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """The content of a file, read once for the chart and for all rules of a service."""
        self._asked[self._name, "read", path] = None
        if path not in self._contents:
            self._contents[path] = self._tree.read(path)
        return self._contents[path]

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._tree, method)
        if not callable(found):
            return found

        def ask(argument: str = "") -> Any:
            self._asked[self._name, method, argument] = None
            return found(argument) if argument else found()

        return ask


_SHARED: Final = frozenset(
    name
    for name, each in vars(views.Project).items()
    if isinstance(each, cached_property) and not name.startswith("_")
)
"""What the repository computes once, for all services; that a service asked for it is recorded as one question."""


class _Project(views.Project):
    """The repository, with what it computes once shared with the one that all services have."""

    def share(self, whole: views.Project, asked: dict[Question, None]) -> None:
        self.__dict__["_whole"] = whole, asked

    def __getattribute__(self, name: str) -> Any:
        if name not in _SHARED:
            return object.__getattribute__(self, name)
        whole, asked = object.__getattribute__(self, "_whole")
        asked["", _COMPUTED, name] = None
        return getattr(whole, name)


class Recording:
    """The repository as one service's rules see it, and what they ask of it.

    Attributes:
        project: The repository.
        asked: The questions, in order.
    """

    def __init__(self, project: views.Project) -> None:
        self.asked: dict[Question, None] = {}
        given = {each.name: getattr(project, each.name) for each in dataclasses.fields(project)}
        given["tree"] = _Recorded("", project.tree, self.asked)
        given["branches"] = {
            name: _Recorded(name, tree, self.asked) for name, tree in project.branches.items()
        }
        self.project = _Project(**given)
        self.project.share(project, self.asked)


class Recall:
    """The results of earlier runs.

    Args:
        kept: Where they are; None for nowhere.
        project: The repository.
        rules: The rules that are run.
        result: The type of a service's result.
    """

    def __init__(
        self,
        kept: keeping.Kept | None,
        project: views.Project,
        rules: Sequence[rulebook.Rule],
        result: Any,
    ) -> None:
        self._kept, self._project, self._rules, self._result = kept, project, rules, result
        self._states: dict[str, _States] = {}
        self._answered: dict[Question, str | None] = {}

    @cached_property
    def _common(self) -> str:
        """What every result depends on. The day is part of it: certificates and agreements expire."""
        project = self._project
        return keeping.key(
            program_fingerprint.program(),
            msgspec.json.encode(project.policy),
            msgspec.json.encode(dict(project.places)),
            msgspec.json.encode(project.services),
            msgspec.json.encode([rule.code for rule in self._rules]),
            project.now.date().isoformat(),
        )

    def of(self, service: str) -> Any:
        """A service's result, if it would be the same today; else None."""
        if self._kept is None:
            return None
        data = self._kept.get(self._key(service))
        if data is None:
            return None
        try:
            entry = msgspec.msgpack.decode(data, type=_Entry)
            if self._answers(entry.questions) != entry.states:
                return None
            return msgspec.msgpack.decode(entry.result, type=self._result)
        except (msgspec.DecodeError, AttributeError, TypeError, ValueError):
            return None

    def keep(self, service: str, recording: Recording, result: Any) -> None:
        """Keep a service's result for another run."""
        if self._kept is None:
            return
        questions = list(recording.asked)
        states = self._answers(questions)
        if states is not None:
            entry = _Entry(questions, states, msgspec.Raw(msgspec.msgpack.encode(result)))
            self._kept.put(self._key(service), msgspec.msgpack.encode(entry))

    def close(self) -> None:
        """Remove what has become old."""
        if self._kept is not None:
            self._kept.clean()

    def _key(self, service: str) -> str:
        return keeping.key("check", self._common, service)

    def _answers(self, questions: Sequence[Question]) -> list[str] | None:
        """The states of the answers today; None where one cannot be told."""
        found = []
        for name, method, argument in questions:
            state = self._state(name, method, argument)
            if state is None:
                return None
            found.append(state)
        return found

    def _state(self, name: str, method: str, argument: str) -> str | None:
        question = name, method, argument
        if question not in self._answered:
            if method == _COMPUTED:
                value = getattr(self._project, argument)
                self._answered[question] = keeping.key(repr(value))
            else:
                tree = self._project.branches.get(name) if name else self._project.tree
                if tree is None:
                    return None
                states = self._states.setdefault(name, _States(tree))
                self._answered[question] = states.of(method, argument)
        return self._answered[question]
