"""Inspections of services that earlier checks have kept, used while nothing that was read has changed.

Which files a rule reads is its own affair: charts, migrations, another service's values, another branch.
So reading is recorded: every question that was put to a tree or to the shared facts, and the state of the answer.
A kept inspection is used only if every one of these questions would be answered the same today; for that the ids that
git has are compared, and no unchanged file is read.
The state is that of the answer which the rules were given: a file may be saved after it was listed, or was read.

A rule can put no question that is not recorded: it is handed :class:`RecordingTree` and :class:`RecordingFacts`, which
spell out all that there is to ask, and a project whose other fields are part of every entry's key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from hanbae import errors
from hanbae.apis import crds
from hanbae.charts import gathering
from hanbae.checking import inspecting, program_fingerprint
from hanbae.planning import committed_kinds
from hanbae.repository import keeping, readings, revisions, trees
from hanbae.rules import application_sources, declaring, neighbours, rulebook, shared_facts, views

# Ids of links begin with it, see hanbae.repository.trees.
_LINK: Final = "link:"
_ABSENT: Final = "absent"
_UNSETTLED: Final = "unsettled"
"""The state of a question that was answered in two ways: no answer has it."""
_CONTENT: Final = "content"
"""Stands where a tree's method would, for a file of which the listing says too little: only its content does."""
# Stands where a tree's method would, for a question that is put to the shared facts.
_FACT: Final = "@"
_PROPERTIES: Final = frozenset(
    {"declared", "manifest_names", "others", "overlay_secrets", "own_kinds", "written_sources"}
)
"""Facts that are about no environment; a kept entry may ask for anything."""
Question = tuple[str, str, str]
"""Name of the tree (empty for the one that is checked), the method, and its argument."""
Questions = dict[Question, str | None]
"""With the state of each answer; None where that is the listing's, or the shared facts', which stay as they are."""

T = TypeVar("T")


class _Entry(Struct, array_like=True):
    """What is kept: the questions, the states of the answers, and the inspection."""

    questions: list[Question]
    states: list[str]
    # Raw, so that an inspection is decoded only once its questions have turned out to have the same
    # answers.
    inspection: msgspec.Raw


class RecordingTree:
    """A tree that records what it is asked, and has nothing else that could be read: no root, no prefix.

    Args:
        name: Name of the tree; empty for the one that is checked.
        tree: The tree.
        questions: Where questions are recorded.
    """

    def __init__(self, name: str, tree: trees.Tree, questions: Questions) -> None:
        self._name, self._tree, self._questions = name, readings.Readings(tree), questions

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder; see :class:`~hanbae.repository.trees.Tree`."""
        self._record("files", folder)
        return self._tree.files(folder)

    def linked(self, path: str) -> str | None:
        """The folder that a link leads to; see :class:`~hanbae.repository.trees.Tree`."""
        return self._answer("linked", path, self._tree.linked)

    def read(self, path: str) -> bytes | None:
        """The content of a file, read once for the chart and for all rules of a service."""
        try:
            data = self._tree.read(path)
        except errors.Error as error:
            self._record(_CONTENT, path, _failed(error))
            raise
        digest = self._tree.unlisted.get(path)
        self._record("read" if digest is None else _CONTENT, path, digest)
        return data

    def ignored(self, path: str) -> bool:
        """Whether git would ignore a file of this path."""
        return self._answer("ignored", path, self._tree.ignored)

    def links(self, folder: str = "") -> Mapping[str, str]:
        """Every symbolic link below a folder; see :class:`~hanbae.repository.trees.Tree`."""
        return self._answer("links", folder, self._tree.links)

    def _answer(self, method: str, argument: str, ask: Callable[[str], T]) -> T:
        try:
            answer = ask(argument)
        except errors.Error as error:
            self._record(method, argument, _failed(error))
            raise
        self._record(method, argument, repr(answer))
        return answer

    def _record(self, method: str, argument: str, state: str | None = None) -> None:
        question = self._name, method, argument
        if self._questions.setdefault(question, state) != state:
            self._questions[question] = _UNSETTLED


def _failed(error: errors.Error) -> str:
    return f"error {error.text.id}"


class RecordingFacts(shared_facts.SharedFacts):
    """The facts that all services share, and a record of which of them were asked for.

    Args:
        facts: The facts.
        questions: Where questions are recorded.
    """

    def __init__(self, facts: shared_facts.SharedFacts, questions: Questions) -> None:
        # Not super().__init__(): this one has no policy and no tree of which it could work out a fact unrecorded.
        self._facts, self._questions = facts, questions

    @property
    def others(self) -> tuple[str, ...]:
        """The files that belong to no service."""
        self._record("others")
        return self._facts.others

    @property
    def own_kinds(self) -> Mapping[tuple[str, str], crds.Kind]:
        """The kinds that files of the repository define."""
        self._record("own_kinds")
        return self._facts.own_kinds

    @property
    def manifest_names(self) -> Mapping[str, tuple[str, ...]]:
        """The names of what files outside of charts make."""
        self._record("manifest_names")
        return self._facts.manifest_names

    @property
    def overlay_secrets(self) -> tuple[str, ...]:
        """The names of the Secrets that files beside the overlays make."""
        self._record("overlay_secrets")
        return self._facts.overlay_secrets

    @property
    def release_names(self) -> Mapping[str, str]:
        """Name of the release → service: follows from the policy and the services, which are in every key."""
        return self._facts.release_names

    def application_names(self, environment: str) -> Mapping[str, str]:
        """Name of an Application → service: follows from the policy and the services, which are in every key."""
        return self._facts.application_names(environment)

    def neighbours(self, environment: str) -> neighbours.Neighbours:
        """The words by which an environment knows the others: they follow from the policy, which is in every key."""
        return self._facts.neighbours(environment)

    @property
    def declared(self) -> tuple[declaring.Declared, ...]:
        """Argo CD's own objects among the files."""
        self._record("declared")
        return self._facts.declared

    @property
    def written_sources(self) -> application_sources.Index:
        """What the Applications among the files say of their sources."""
        self._record("written_sources")
        return self._facts.written_sources

    def written(self, service: str, environment: str) -> application_sources.Written:
        """What a service's Application says of its source; a change of another one is none of this."""
        self._record(f"written:{environment}/{service}")
        return self._facts.written(service, environment)

    def bounds(self, environment: str) -> Mapping[str, Any]:
        """The spec of an environment's AppProject."""
        self._record(f"bounds:{environment}")
        return self._facts.bounds(environment)

    def _record(self, name: str) -> None:
        self._questions["", _FACT, name] = None


@dataclass(frozen=True, kw_only=True)
class _RecordingProject(views.Project):
    """The repository as the rules over one service see it."""

    recording: RecordingFacts = field(repr=False, compare=False)

    @property
    def shared(self) -> shared_facts.SharedFacts:
        """What is worked out once for all services."""
        return self.recording


class Recording:
    """The repository as the rules over one service see it, and what they ask of it.

    Attributes:
        project: The repository, without overlays and clashes: they are not known while services are inspected.
        questions: The questions, in order, with the states of their answers.
    """

    def __init__(self, project: views.Project) -> None:
        self.questions: Questions = {}
        self.project: views.Project = _RecordingProject(
            policy=project.policy,
            places=project.places,
            tree=RecordingTree("", project.tree, self.questions),
            services=project.services,
            branches={
                name: RecordingTree(name, tree, self.questions)
                for name, tree in project.branches.items()
            },
            now=project.now,
            schemas=project.schemas,  # follow from what they are asked, and are compiled once for all
            # Not to be looked for in the tree that records: it is in every key.
            added=_added(project),
            served=project.served,
            recording=RecordingFacts(project.shared, self.questions),
        )


def _added(project: views.Project) -> committed_kinds.Added:
    if project.added is not None:
        return project.added
    return committed_kinds.of(project.policy, project.tree)


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
        """What an answer depends on; None where only asking would show, or where there is no such method."""
        state = self._of_method.get(method)
        return state(argument) if state is not None else None

    @cached_property
    def _of_method(self) -> Mapping[str, Callable[[str], str | None]]:
        return {
            "files": self._folder,
            "read": self._file,
            _CONTENT: self._content,
            "linked": lambda path: self._answer(lambda: self.tree.linked(path)),
            "ignored": lambda path: self._answer(lambda: self.tree.ignored(path)),
            "links": lambda folder: self._answer(lambda: self.tree.links(folder)),
        }

    def _answer(self, ask: Callable[[], object]) -> str:
        try:
            return repr(ask())
        except errors.Error as error:
            return _failed(error)

    def _file(self, path: str) -> str | None:
        if isinstance(self.tree, revisions.Revision):
            stamp = self.tree.stamp(path)
            return stamp if stamp is not None else self._content(path)
        content = self._files.get(path)
        if content is None:
            return None if self._is_behind_a_link(path) else _ABSENT
        # The id of a link says where it leads and not what is there, and all files that cannot be
        # read share one id.
        if not content.startswith((_LINK, trees.UNREADABLE)):
            return content
        return self._content(path)

    def _content(self, path: str) -> str:
        try:
            return readings.digest(self.tree.read(path) or b"")
        except errors.Error as error:
            return _failed(error)

    def _folder(self, path: str) -> str | None:
        if isinstance(self.tree, revisions.Revision):
            return self.tree.stamp(path)
        if self._is_behind_a_link(path):
            return None
        listed = trees.below(self._paths, self._files, path) if path else self._files
        hashed = hashlib.sha256()
        for name, content in listed.items():
            # Git's names may be any bytes.
            hashed.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()

    def _is_behind_a_link(self, path: str) -> bool:
        # Git lists nothing below a link, so a folder on the way that is listed as a file is one, or
        # a submodule.
        parts = path.strip("/").split("/")
        return any("/".join(parts[:cut]) in self._files for cut in range(1, len(parts) + 1)) and (
            path not in self._files
        )


class ResultCache:
    """The inspections that earlier checks have kept.

    Args:
        cache: Where they are; None for nowhere.
        project: The repository.
        rules: The rules that are run.
    """

    def __init__(
        self, cache: keeping.Cache | None, project: views.Project, rules: Sequence[rulebook.Rule]
    ) -> None:
        self._kept, self._project, self._rules = cache, project, rules
        # Now, before anything is rendered: what is fetched meanwhile is part of some inspections and not of others.
        self._brought = gathering.stamp() if cache is not None else ""
        self._trees: dict[str, _States] = {}
        self._states: dict[Question, str | None] = {}

    @cached_property
    def _common(self) -> str:
        """What every inspection depends on. The day is part of it: certificates and agreements expire.

        So are the charts that were fetched: what depends on them is rendered with them, or without. And so is what is
        known of clusters beyond the policy, which every chart may ask for.
        """
        project = self._project
        return keeping.key(
            program_fingerprint.program(),
            # Not as JSON: a folder's name may be any bytes, and the policy holds folders where they do not
            # follow from names.
            repr(project.policy),
            repr(project.services),
            msgspec.json.encode(dict(project.places)),
            msgspec.json.encode(sorted(project.branches)),
            msgspec.json.encode([rule.code for rule in self._rules]),
            project.now.date().isoformat(),
            self._brought,
            repr(_added(project)),
            repr(project.served),
        )

    def inspections(self, services: Sequence[str]) -> dict[str, inspecting.Inspection]:
        """The inspections of those services that would be the same today."""
        inspections = ((name, self.of(name)) for name in services)
        return {name: inspection for name, inspection in inspections if inspection is not None}

    def of(self, service: str) -> inspecting.Inspection | None:
        """A service's inspection, if it would be the same today; else None."""
        if self._kept is None:
            return None
        data = self._kept.get(self._key(service))
        if data is None:
            return None
        try:
            entry = msgspec.msgpack.decode(data, type=_Entry)
            if self._answers(entry.questions) != entry.states:
                return None
            return msgspec.msgpack.decode(entry.inspection, type=inspecting.Inspection)
        except (msgspec.DecodeError, ValueError):  # an entry of another shape, a path that is none
            return None

    def keep(self, service: str, recording: Recording, inspection: inspecting.Inspection) -> None:
        """Keep a service's inspection for another check, unless a chart was fetched since this one began."""
        if self._kept is None or gathering.stamp() != self._brought:
            return
        listed = [question for question, state in recording.questions.items() if state is None]
        states = self._answers(listed)
        if states is not None:
            answers = recording.questions | dict(zip(listed, states, strict=True))
            try:
                raw = msgspec.Raw(msgspec.msgpack.encode(inspection))
                entry = msgspec.msgpack.encode(
                    _Entry(list(answers), [state or "" for state in answers.values()], raw)
                )
            except (
                UnicodeEncodeError
            ):  # of a file whose name is no text: it is looked at anew each time
                return
            self._kept.put(self._key(service), entry)

    def close(self) -> None:
        """Remove what has become old."""
        if self._kept is not None:
            self._kept.clean()

    def _key(self, service: str) -> str:
        return keeping.key("check", self._common, service)

    def _answers(self, questions: Sequence[Question]) -> list[str] | None:
        """The states of the answers today; None where one can only be had by asking."""
        states = []
        for question in questions:
            # Services ask much the same, so each question is answered once in a check.
            if question not in self._states:
                self._states[question] = self._state(*question)
            state = self._states[question]
            if state is None:
                return None
            states.append(state)
        return states

    def _state(self, name: str, method: str, argument: str) -> str | None:
        if method == _FACT:
            return self._fact(argument)
        if name not in self._trees:
            tree = self._project.branches.get(name) if name else self._project.tree
            if tree is None:
                return None
            self._trees[name] = _States(tree)
        return self._trees[name].of(method, argument)

    def _fact(self, name: str) -> str | None:
        try:
            return keeping.key(repr(self._shared(name)))
        except Exception:  # noqa: BLE001  the rule that asks for it fails by itself, and is told of
            return None

    def _shared(self, name: str) -> object:
        """A fact by the name under which :class:`RecordingFacts` has recorded it."""
        facts = self._project.shared
        kind, _, subject = name.partition(":")
        environment, _, service = subject.partition("/")
        if kind == "written":
            return facts.written(service, environment)
        if kind == "bounds":
            return facts.bounds(environment)
        if kind in _PROPERTIES:
            return getattr(facts, kind)
        raise ValueError(name)
