"""Argo CD's own objects among the files of a repository, with the place of everything in them.

They are looked for everywhere but in charts, whose objects are rendered and looked at there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.policy import documents, environments, labels
from hanbae.repository import trees
from hanbae.rules import valuesfiles

Kind = Literal["Application", "ApplicationSet", "AppProject"]
Keys = tuple[str | int, ...]

_KINDS: Final = frozenset({"Application", "ApplicationSet", "AppProject"})
_MARK: Final = re.compile(rb"\bkind['\"]?: *['\"]?App(?:lication(?:Set)?|Project)\b")


class Declared(Struct, frozen=True):
    """One object.

    Attributes:
        data: The object.
        places: Where everything in it stands.
    """

    data: Mapping[str, Any]
    places: valuesfiles.ValuesFile

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.data.get("kind"))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.get("metadata", "name") or "")

    @property
    def label(self) -> str:
        """How it is called in messages."""
        return f"{self.kind}/{self.name}"

    def get(self, *keys: str | int) -> Any:
        """A part of it; None where something on the way is missing or of another shape."""
        at: Any = self.data
        for key in keys:
            in_list = isinstance(at, list) and isinstance(key, int) and 0 <= key < len(at)
            if not in_list and not (isinstance(at, dict) and key in at):
                return None
            at = at[key]
        return at

    def place(self, *keys: str | int) -> subjects.Place:
        """Where a part of it stands; of a missing one, the nearest part around it."""
        return self.places.place(keys)

    def environment(self, policy: documents.Policy) -> str:
        """The environment that it belongs to: by its label, its folder, or its name; empty for none that is known."""
        own = environments.on_kubernetes(policy)
        for at in (("metadata",), ("spec", "template", "metadata")):
            labelled = self.get(*at, "labels", labels.ENVIRONMENT)
            if isinstance(labelled, str) and labelled in own:
                return labelled
        folders = [part for part in self.places.file.split("/")[:-1] if part in own]
        ends = [name for name in own if self.name.endswith(f"-{name}")]
        return folders[-1] if folders else max(ends, key=len, default="")


def read(tree: trees.Tree, policy: documents.Policy) -> Iterator[Declared]:
    """Every Application, ApplicationSet and AppProject in the YAML files outside of charts."""
    before, _, after = policy.services.path.partition("*")
    for path in tree.files():
        if not path.endswith((".yaml", ".yml")):
            continue
        if (path.startswith(before) and f"{after}/" in path) or "/templates/" in path:
            continue
        try:
            data = tree.read(path)
        except errors.FileFault:
            continue  # what cannot be read is told elsewhere
        if data and b"argoproj.io/" in data and _MARK.search(data):
            for thing, places in valuesfiles.documents(data, path):
                if _is_argo_cds(thing):
                    yield Declared(thing, places)


def _is_argo_cds(thing: Any) -> bool:
    return (
        isinstance(thing, dict)
        and str(thing.get("apiVersion")).startswith("argoproj.io/")
        and thing.get("kind") in _KINDS
    )
