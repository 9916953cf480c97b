"""Changes a kustomization as Argo CD's repo-server does for ``source.kustomize``, before it is built.

Argo CD calls ``kustomize edit`` for each parameter; what that writes is written here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from hanbae import errors, libyaml, subjects

_UNCHANGED: Final = "*"
"""In an image: what the kustomization says already."""
_PLAIN: Final = ("namePrefix", "nameSuffix", "namespace")
_LISTS: Final = ("images", "replicas", "patches", "components")
_FLAGS: Final = (
    "forceCommonLabels",
    "forceCommonAnnotations",
    "commonAnnotationsEnvsubst",
    "labelWithoutSelector",
    "labelIncludeTemplates",
    "ignoreMissingComponents",
)
_KEYS: Final = (*_PLAIN, *_LISTS, *_FLAGS, "commonLabels", "commonAnnotations")

Content = dict[str, Any]


def applied(
    data: bytes,
    parameters: Mapping[str, Any],
    *,
    file: str,
    refused: Callable[[str], errors.FileFault],
    has_folder: Callable[[str], bool],
    expanded: Callable[[str], str] = str,
) -> bytes:
    """A kustomization with parameters.

    Args:
        data: The kustomization.
        parameters: What ``source.kustomize`` says.
        file: Its path, for faults.
        refused: The fault of a parameter that is not known.
        has_folder: Whether there is a component's folder, relative to the kustomization's.
        expanded: Puts the build environment into a text.

    Raises:
        hanbae.errors.FileFault: The kustomization is no mapping; a parameter that is not known, or is no such thing.
    """
    # To Argo CD an empty parameter is one that is not there.
    parameters = {key: value for key, value in parameters.items() if value}
    for key in parameters:
        if key not in _KEYS:
            raise refused(f"kustomize.{key}")
    parameters |= _expanded(parameters, expanded)
    where = subjects.Place(file)
    try:
        content = libyaml.load(data) or {}
        if isinstance(content, dict):
            # JSON is YAML too. Nobody edits this text; it is only built.
            return json.dumps(_changed(content, parameters, has_folder)).encode()
    except (libyaml.Fault, TypeError, ValueError) as fault:
        problem = str(fault)[:200]
        raise errors.FileFault("manifests.unreadable", place=where, problem=problem) from fault
    raise errors.FileFault("manifests.unreadable", place=where, problem="not a mapping")


def _expanded(parameters: Mapping[str, Any], expanded: Callable[[str], str]) -> Content:
    """The parameters into which Argo CD puts the build environment.

    The commit is left as it is written where nobody knows it, as in what is not committed.
    """
    results: Content = {}
    if isinstance(parameters.get("images"), list):
        results["images"] = [expanded(str(image)) for image in parameters["images"]]
    annotations = parameters.get("commonAnnotations")
    if parameters.get("commonAnnotationsEnvsubst") and isinstance(annotations, dict):
        own = {str(key): expanded(str(value)) for key, value in annotations.items()}
        results["commonAnnotations"] = own
    return results


def _changed(
    content: Content, parameters: Mapping[str, Any], has_folder: Callable[[str], bool]
) -> Content:
    edit = _Edit(content)
    for key in _PLAIN:
        if parameters.get(key):
            edit.put(key, str(parameters[key]))
    for key, edited in (("images", _images), ("replicas", _replicas)):
        if parameters.get(key):
            edit.put(key, edited(_list(edit.get(key)), _list(parameters[key])))
    if parameters.get("commonLabels"):
        _label(edit, parameters)
    if annotations := parameters.get("commonAnnotations"):
        own = {**(edit.get("commonAnnotations") or {}), **_texts(annotations)}
        edit.put("commonAnnotations", own)
    components = [str(name) for name in _list(parameters.get("components"))]
    if parameters.get("ignoreMissingComponents"):
        components = [name for name in components if has_folder(name)]
    for key, added in (("patches", _list(parameters.get("patches"))), ("components", components)):
        present = _list(edit.get(key))
        if added:
            edit.put(key, present + [item for item in added if item not in present])
    return edit.content


def _label(edit: _Edit, parameters: Mapping[str, Any]) -> None:
    labels = parameters["commonLabels"]
    if parameters.get("labelWithoutSelector"):
        templates = bool(parameters.get("labelIncludeTemplates"))
        edit.put("labels", _labels(_list(edit.get("labels")), labels, templates))
    else:
        edit.put("commonLabels", {**(edit.get("commonLabels") or {}), **_texts(labels)})


class _Edit:
    """A kustomization whose keys may be written in any case, as Kustomize takes them."""

    def __init__(self, content: Content) -> None:
        self.content = dict(content)
        self._keys = {str(key).casefold(): key for key in content}

    def get(self, key: str) -> Any:
        return self.content.get(self._keys.get(key.casefold(), key))

    def put(self, key: str, value: Any) -> None:
        self.content[self._keys.get(key.casefold(), key)] = value


def _images(present: list[Any], entries_: list[Any]) -> list[Content]:
    """``kustomize edit set image``: entries by their name; those that are given replace those that are there."""
    entries = {str(entry.get("name")): entry for entry in present if isinstance(entry, dict)}
    for text in map(str, entries_):
        name, equals, value = text.partition("=")
        image, tag, digest = split(value if equals else text)
        own = {"name": name, "newName": image} if equals else {"name": image}
        own |= {"newTag": tag, "digest": digest}
        before = entries.get(own["name"], {})
        replaced = {
            key: before.get(key, "") if item == _UNCHANGED else item for key, item in own.items()
        }
        entries[own["name"]] = {key: item for key, item in replaced.items() if item}
    return [entries[name] for name in sorted(entries)]


def split(image: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image, as Kustomize takes it apart.

    Args:
        image: Such as ``registry/path:tag@digest``.
    """
    named, _, digest = image.partition("@")
    folder, slash, last = named.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folder}{slash}{name}", tag, digest


def _replicas(present: list[Any], entries_: list[Any]) -> list[Content]:
    entries = {str(entry.get("name")): entry for entry in present if isinstance(entry, dict)}
    for entry in entries_:
        if isinstance(entry, dict):
            name = str(entry.get("name"))
            entries[name] = {"name": name, "count": int(entry.get("count") or 0)}
    return [entries[name] for name in sorted(entries)]


def _labels(present: list[Any], entries_: Any, templates: bool) -> list[Any]:
    """``kustomize edit add label --without-selector``."""
    result = [dict(entry) if isinstance(entry, dict) else entry for entry in present]
    for entry in result:
        settings = entry if isinstance(entry, dict) else {"includeSelectors": True}
        same = bool(settings.get("includeTemplates")) == templates
        if same and not settings.get("includeSelectors"):
            entry["pairs"] = {**(entry.get("pairs") or {}), **_texts(entries_)}
            return result
    own: Content = {"pairs": _texts(entries_)}
    return [*result, own | ({"includeTemplates": True} if templates else {})]


def _texts(entries: Any) -> dict[str, str]:
    return (
        {str(key): str(value) for key, value in entries.items()}
        if isinstance(entries, dict)
        else {}
    )


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []
