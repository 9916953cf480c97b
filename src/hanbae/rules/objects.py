"""Rendered objects as rules see them, whatever shape they have; rules call them ``views.Object``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import subjects
from hanbae.argo import hooks

Pointer = tuple[str | int, ...]
"""Keys and indices from the root of an object: ``("spec", "containers", 0, "image")``."""

_PODS: Final[Mapping[str, Pointer]] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}


class Object(Struct, frozen=True):
    """One rendered object.

    Attributes:
        data: The object, as the API server would be given it.
        template: The file that it comes from, relative to the repository's root.
        index: Its place among the objects of the release, in the order in which Helm gives them.
        namespace: Its namespace: its own, else the release's.
    """

    data: dict[str, Any]
    template: str
    index: int
    namespace: str

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.data.get("kind"))

    @property
    def api_version(self) -> str:
        """Its ``apiVersion``."""
        return str(self.data.get("apiVersion"))

    @property
    def name(self) -> str:
        """Its name, or its ``generateName``."""
        metadata = self.data.get("metadata")
        if not isinstance(metadata, dict):
            return ""
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @property
    def ref(self) -> subjects.Ref:
        """The object in its environment."""
        return subjects.Ref(self.kind, self.namespace, self.name)

    @property
    def label(self) -> str:
        """How it is called in messages: the same in each environment, so that these become one finding."""
        return f"{self.kind}/{self.name}"

    @property
    def phases(self) -> tuple[hooks.Phase, ...]:
        """The phases in which Argo CD runs it as a hook; empty for what is no hook."""
        return hooks.phases(self.data)

    @property
    def wave(self) -> int:
        """Its sync wave."""
        return hooks.wave(self.data)

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Its annotations; empty where there are none or they are no mapping."""
        found = self.get("metadata", "annotations")
        return found if isinstance(found, dict) else {}

    def get(self, *pointer: str | int, default: Any = None) -> Any:
        """A part of it, or the default where something on the way is missing or of another shape."""
        at: Any = self.data
        for key in pointer:
            if isinstance(at, dict):
                if key not in at:
                    return default
            elif not (isinstance(at, list) and isinstance(key, int) and 0 <= key < len(at)):
                return default
            at = at[key]
        return at

    @property
    def template_metadata(self) -> Pointer:
        """Where the metadata of its pods are, of what makes pods."""
        return (*(self.pod or ())[:-1], "metadata")

    @property
    def pod(self) -> Pointer | None:
        """Where the spec of its pods is; None for what makes no pods."""
        return _PODS.get(self.kind)

    def containers(self, *, init: bool = True) -> Iterator[tuple[Pointer, dict[str, Any]]]:
        """Its containers, init containers first, each with its pointer."""
        if self.pod is None:
            return
        for key in ("initContainers", "containers") if init else ("containers",):
            found = self.get(*self.pod, key)
            for at, container in enumerate(found if isinstance(found, list) else ()):
                if isinstance(container, dict):
                    yield (*self.pod, key, at), container


class On(Struct, frozen=True):
    """A part of a rendered object, whose place in the user's files is traced later.

    Attributes:
        object: The object.
        pointer: The part; where it is missing, the nearest part around it is shown.
        key: Whether the key itself is at fault rather than its value.
    """

    object: Object
    pointer: Pointer = ()
    key: bool = False
