"""``.argocd-source.yaml`` and ``.argocd-source-<application>.yaml``: what lies beside a chart and changes its source.

Argo CD's repo-server merges them into the Application's source before it renders, as a JSON merge patch: lists are
replaced as a whole. Argo CD Image Updater writes such files.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, patterns, subjects
from hanbae.policy import folders
from hanbae.repository import trees

PREFIX: Final = ".argocd-source"
"""How the names of such files begin."""

_ALL: Final = f"{PREFIX}.yaml"
_PATH: Final = patterns.lazy(r"(?:[^.\[\]\\]|\\.)+|\[[0-9]+\]")
# To Helm's --set, what begins with a 0 is text, such as `0123`, but for 0 itself.
_WHOLE: Final = patterns.lazy(r"0|[1-9][0-9]{0,18}|[+-][0-9]{1,19}")
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
"""What a whole number of ``--set`` can be."""
_LAST_ENTRY: Final = 1000
"""The last index of a list that is looked at: `a[999999999]` would make a list of as many entries."""
_DEEPEST: Final = 30


class SourceFile(Struct, frozen=True):
    """One such file.

    Attributes:
        path: The file, relative to the repository's root.
        patch: What it says.
    """

    path: str
    patch: Mapping[str, Any]


def read(tree: trees.Tree, folder: str, application: str) -> Iterator[SourceFile]:
    """The files that change an Application's source, in the order in which Argo CD merges them.

    Args:
        tree: The files of the repository.
        folder: The source's folder.
        application: The Application's name.

    Raises:
        hanbae.errors.FileFault: One of them cannot be read, or is no YAML.
    """
    for name in (_ALL, f"{PREFIX}-{application}.yaml"):
        path = folders.path(folder, name)
        data = tree.read(path)
        if data is None:
            continue
        try:
            patch = libyaml.load(data)
        except libyaml.Fault as fault:
            place = subjects.Place(path, fault.line, fault.column)
            raise errors.FileFault(
                "values.syntax", place=place, problem=str(fault)[:200]
            ) from fault
        if isinstance(patch, dict):
            yield SourceFile(path, patch)


def merged(
    patches: Iterable[SourceFile], source: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What several such files make of a source.

    Args:
        patches: The files, in their order.
        source: The source; None for one that says no more than where its folder is.
    """
    source = dict(source or {})
    for file in patches:
        source = _merged(source, file.patch, 0)
    return source


def _merged(target: Any, patch: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396): what is null goes, mappings are merged, all else is replaced."""
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(str(key), None)
        elif isinstance(value, dict) and depth < _DEEPEST:
            result[str(key)] = _merged(result.get(str(key)), value, depth + 1)
        else:
            result[str(key)] = value
    return result


def values(helm: Mapping[str, Any], files: Sequence[bytes] = ()) -> tuple[bytes, ...]:
    """The values that a source's ``helm`` lays over its values files, each document over the one before, as JSON.

    Args:
        helm: The part ``helm`` of a source.
        files: The contents of the values files, in order: a parameter of a list's entry changes theirs.
    """
    documents = []
    inline: Any = helm.get("valuesObject")
    if not inline and isinstance(helm.get("values"), str):
        inline = helm["values"].encode()
    if isinstance(inline, bytes):
        documents.append(inline)
    elif isinstance(inline, dict):
        documents.append(json.dumps(inline, default=str).encode())
    parameters = helm.get("parameters")
    set_values: dict[str, Any] = {}
    below = _Below((*files, *documents))
    for parameter in parameters if isinstance(parameters, list) else ():
        if isinstance(parameter, dict) and isinstance(parameter.get("name"), str):
            text = str(parameter.get("value") or "")
            # Argo CD Image Updater writes it in small letters.
            forced = parameter.get("forceString", parameter.get("forcestring")) is True
            _put(set_values, parameter["name"], text if forced else _typed(text), below)
    if set_values:
        documents.append(json.dumps(set_values).encode())
    return tuple(documents)


def overridden(source: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what a source says beyond its folder and its values files: parameters, values, images.

    Args:
        source: The source of an Application, or a patch of one.
    """
    names: list[str] = []
    helm, kustomize = source.get("helm"), source.get("kustomize")
    if isinstance(helm, dict):
        names += values_by_name(helm)
    if isinstance(kustomize, dict):
        names += [f"kustomize.{key}" for key, value in kustomize.items() if value]
    return tuple(dict.fromkeys(names))


def values_by_name(helm: Mapping[str, Any]) -> dict[str, Any]:
    """What a source's ``helm`` says of single values: the name as in :func:`overridden` → what it says of it.

    Args:
        helm: The part ``helm`` of a source.
    """
    single: dict[str, Any] = {}
    for key in ("parameters", "fileParameters"):
        entries = helm.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                parts = {part: value for part, value in entry.items() if value}
                single[str(entry.get("name"))] = parts
    inline = dict(_leaves(_inline(helm)))
    return single | {name: inline[name] for name in inline if name not in single}


def _inline(helm: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values that are written into a source; empty where they are none."""
    inline: Any = helm.get("valuesObject")
    if not inline and isinstance(helm.get("values"), str):
        try:
            inline = libyaml.mapping(helm["values"])
        except libyaml.Fault:
            inline = None
    return inline if isinstance(inline, dict) else {}


def _leaves(node: Mapping[Any, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        path = f"{name}.{key}" if name else str(key)
        if isinstance(value, dict) and value and path.count(".") < _DEEPEST:
            yield from _leaves(value, path)
        else:
            yield path, value


def _typed(text: str) -> Any:
    """A value as Helm's ``--set`` reads it."""
    words = {"true": True, "false": False, "null": None}
    if (word := text.casefold()) in words:
        return words[word]
    if _WHOLE.fullmatch(text) and _SMALLEST <= int(text) <= _LARGEST:
        return int(text)
    if text.startswith("{") and text.endswith("}"):
        return [_typed(part.strip()) for part in text[1:-1].split(",")] if text != "{}" else []
    return text


class _Below:
    """What parameters are laid over, read when one names an entry of a list: Helm changes that one alone."""

    def __init__(self, documents: Sequence[bytes]) -> None:
        self._documents = documents

    def entries(self, keys: Sequence[str]) -> list[Any]:
        """A copy of the list at some keys; empty where the values have none."""
        for content in reversed(self._documents):
            node: Any = libyaml.mapping(content)
            for key in keys:
                node = node.get(key) if isinstance(node, dict) else None
            if node is not None:
                return copy.deepcopy(node) if isinstance(node, list) else []
        return []


def _put(values: dict[str, Any], name: str, value: Any, under: _Below) -> None:
    parts = [re.sub(r"\\(.)", r"\1", part) for part in _PATH.findall(name)][:_DEEPEST]
    node: Any = values
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else None
        below: Any = {}
        if following is not None and following.startswith("["):
            # The whole list is replaced in the end, so it begins as the values files have it.
            whole = not any(earlier.startswith("[") for earlier in parts[: index + 1])
            below = under.entries(parts[: index + 1]) if whole else []
        below = value if following is None else below
        if isinstance(node, list):
            place = _index(part) if part.startswith("[") else 0
            node += [None] * max(0, place + 1 - len(node))
            if following is None or not isinstance(node[place], dict | list):
                node[place] = below
            node = node[place]
        elif isinstance(node, dict):
            if following is None or not isinstance(node.get(part), dict | list):
                node[part] = below
            node = node[part]
        else:
            return


def _index(part: str) -> int:
    """The index that a part of a name says, such as ``[3]``, up to the last that is looked at."""
    # Python refuses to read a number of thousands of digits.
    digits = part[1:-1].lstrip("0")[:9]
    return min(int(digits or "0"), _LAST_ENTRY)
