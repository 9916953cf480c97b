"""Rendered objects, whatever shape they have; rules call them ``views.Object``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, TypeVar, TypeVarTuple

import msgspec
from msgspec import Struct

from hanbae import subjects
from hanbae.argo import hooks

Pointer = tuple[str | int, ...]
"""Keys and indices from the root of an object: ``("spec", "containers", 0, "image")``."""
Contained = tuple[Pointer, dict[str, Any]]
"""A container, and where it is."""

T = TypeVar("T")
A = TypeVarTuple("A")

_MOST: Final = 256
"""Contents of objects of which results are kept: many times what the environments of one service have."""
_LARGEST: Final = 64 * 1024
"""Bytes of a content of which results are kept: what is larger is rarely in several environments, and takes memory."""
_PODS: Final[Mapping[str, Pointer]] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Rollout": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}


@dataclass(frozen=True)
class Object:
    """One rendered object; what a hundred rules ask of it is worked out once.

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

    @cached_property
    def kind(self) -> str:
        """``kind``, as text whatever is there."""
        return str(self.data.get("kind"))

    @property
    def api_version(self) -> str:
        """``apiVersion``: the group, a slash and the version; of the core group the version alone."""
        return str(self.data.get("apiVersion"))

    @cached_property
    def name(self) -> str:
        """``metadata.name``, else ``generateName``; empty where there is neither."""
        metadata = self.data.get("metadata")
        if not isinstance(metadata, dict):
            return ""
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @cached_property
    def ref(self) -> subjects.Ref:
        """The object in its environment."""
        return subjects.Ref(self.kind, self.namespace, self.name)

    @property
    def label(self) -> str:
        """How it is called in messages: the same in each environment, so that these become one finding."""
        return f"{self.kind}/{self.name}"

    @cached_property
    def phases(self) -> tuple[hooks.Phase, ...]:
        """The phases in which Argo CD runs it as a hook; empty for what is no hook."""
        return hooks.phases(self.data)

    @cached_property
    def wave(self) -> int:
        """The sync wave in which Argo CD applies it; 0 by default."""
        return hooks.wave(self.data)

    @cached_property
    def is_ignored(self) -> bool:
        """Whether Argo CD neither applies nor runs it, as Helm's tests."""
        return hooks.is_ignored(self.data)

    @cached_property
    def annotations(self) -> Mapping[str, Any]:
        """``metadata.annotations``; empty where there are none or they are not a mapping."""
        value = self.get("metadata", "annotations")
        return value if isinstance(value, dict) else {}

    def get(self, *pointer: str | int, default: Any = None) -> Any:
        """A part of it, or the default where something on the way is missing or of another shape."""
        node: Any = self.data
        for key in pointer:
            if isinstance(node, dict):
                if key not in node:
                    return default
            elif not (isinstance(node, list) and isinstance(key, int) and 0 <= key < len(node)):
                return default
            node = node[key]
        return node

    def once(self, compute: Callable[[Object, *A], T], *arguments: *A) -> T:
        """What a function makes of its content, worked out once for all objects that have the same.

        The environments of a service differ in few objects: the Jobs and Services of the second are those of the first.

        Args:
            compute: A function of a module, given the object without its place: no template, no index, no namespace of
                the release. The result is kept under the function, and nobody writes into it.
            arguments: What else it is given, by its place.
        """
        results = self._results
        key: tuple[Any, ...] = (compute, *arguments)
        if key not in results:
            results[key] = compute(self._content, *arguments)
        result: T = results[key]
        return result

    @cached_property
    def _content(self) -> Object:
        # The place is not even empty: who asks for it fails, and does not take one environment's for that of all.
        content = object.__new__(Object)
        content.__dict__["data"] = self.data
        return content

    @cached_property
    def _results(self) -> dict[tuple[Any, ...], Any]:
        try:
            # By its bytes: of two mappings that Python calls equal one may have 1 where the other has true.
            content = msgspec.msgpack.encode(self.data)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return {}  # of a shape that has no bytes, and so nobody's but its own
        return _results(content) if len(content) <= _LARGEST else {}

    @property
    def template_metadata(self) -> Pointer:
        """Where the metadata of its pods are, of what makes pods."""
        return (*(self.pod or ())[:-1], "metadata")

    @cached_property
    def pod(self) -> Pointer | None:
        """Where the spec of its pods is; None for what makes no pods."""
        return _PODS.get(self.kind)

    def containers(self, *, init: bool = True) -> tuple[Contained, ...]:
        """The containers of its pods, init containers first, each with its pointer; none for what makes no pods."""
        if init:
            return self._all_containers
        return tuple(entry for entry in self._all_containers if "initContainers" not in entry[0])

    @cached_property
    def _all_containers(self) -> tuple[Contained, ...]:
        pod = self.pod
        if pod is None or not isinstance(spec := self.get(*pod), dict):
            return ()
        return tuple(
            ((*pod, key, index), container)
            for key in ("initContainers", "containers")
            for index, container in enumerate(_entries(spec.get(key)))
            if isinstance(container, dict)
        )


def _entries(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


@lru_cache(maxsize=_MOST)
def _results(_content: bytes) -> dict[tuple[Any, ...], Any]:
    return {}


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
