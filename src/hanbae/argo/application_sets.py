"""The Applications that an ApplicationSet makes of the repository it reads, as far as the repository decides that.

A list's elements, a repository's folders and files are known here; the clusters that Argo CD knows, pull requests and
plugins are not: of these, one set of parameters stands for all, and what depends on it is left as it is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml
from hanbae.argo import set_templates
from hanbae.policy import folders
from hanbae.repository import trees

_MOST: Final = 2000
"""Applications of one set that are looked at."""
# Argo CD itself takes generators within generators one level deep.
_DEEPEST: Final = 4
_LARGEST_FILE: Final = 256 * 1024


class Parameters(Struct, frozen=True):
    """What generators give for one Application.

    Attributes:
        values: The parameters, nested.
        complete: Whether there are no others: false where a cluster or a service outside decides some.
    """

    values: Mapping[str, Any]
    complete: bool = True


class Expanded(Struct, frozen=True):
    """One Application of a set.

    Attributes:
        document: ``metadata`` and ``spec``; texts that are not known stand as they are written, with ``{{``.
        missing: Keys from the document's root → the parameter that no generator gives.
    """

    document: Mapping[str, Any]
    missing: Mapping[tuple[str | int, ...], str]


def expand(
    spec: Mapping[str, Any], tree: trees.Tree, is_own: Callable[[Any], bool]
) -> tuple[Expanded, ...]:
    """The Applications of a set.

    Args:
        spec: The set's ``spec``.
        tree: The files of the repository.
        is_own: Whether a URL is that of the repository.
    """
    go = spec.get("goTemplate") is True
    template = _mapping(spec.get("template"))
    generators = spec.get("generators")
    results = []
    for generator in generators if isinstance(generators, list) else ():
        parameters = _of(_mapping(generator), tree, is_own, go=go, depth=0)
        # A generator may have a template of its own; what it does not say comes from the set's.
        own = _mapping(
            next((_mapping(v).get("template") for v in _mapping(generator).values()), None)
        )
        whole = _merged(template, own)
        for single in itertools.islice(parameters, _MOST):
            missing: dict[tuple[str | int, ...], str] = {}
            values = single.values if go else _flat(single.values)
            document = _rendered(whole, values, missing, (), go=go, complete=single.complete)
            results.append(Expanded(document, missing))
    return tuple(results)


class _Probe:
    """A repository in which each pattern of a directories generator finds two folders."""

    def __init__(self, patterns: list[str]) -> None:
        words = ("one", "other")
        self._files = {
            f"{pattern.replace('*', word).strip('/')}/Chart.yaml": word
            for pattern in patterns
            for word in words
        }

    def files(self, folder: str = "") -> Mapping[str, str]:
        """Every file below a folder."""
        return {path: value for path, value in self._files.items() if folders.holds(folder, path)}

    def linked(self, _path: str) -> str | None:
        """No link."""
        return None

    def read(self, _path: str) -> bytes | None:
        """No content."""
        return None

    def ignored(self, _path: str) -> bool:
        """Nothing is ignored."""
        return False

    def links(self, _folder: str = "") -> Mapping[str, str]:
        """No links."""
        return {}


def common_name(spec: Mapping[str, Any]) -> str | None:
    """The name that every Application of a set would have, whatever folders its pattern finds; None where they differ.

    Args:
        spec: The set's ``spec``.
    """
    generators = spec.get("generators")
    for generator in generators if isinstance(generators, list) else ():
        git = _mapping(_mapping(generator).get("git"))
        directories = git.get("directories")
        if "selector" in _mapping(generator) or not isinstance(directories, list):
            continue
        for entry in map(_mapping, directories):
            pattern = str(entry.get("path"))
            if "*" not in pattern or entry.get("exclude") is True:
                continue
            single = {"git": {**git, "directories": [{"path": pattern}]}}
            probed = {**spec, "generators": [single]}
            names = [
                _mapping(application.document.get("metadata")).get("name")
                for application in expand(probed, _Probe([pattern]), lambda _: True)
            ]
            if len(names) > 1 and len(set(map(str, names))) == 1 and "{{" not in str(names[0]):
                return str(names[0])
    return None


def _of(
    generator: Mapping[str, Any],
    tree: trees.Tree,
    is_own: Callable[[Any], bool],
    *,
    go: bool,
    depth: int,
) -> list[Parameters]:
    unknown = [Parameters({}, complete=False)]
    if depth > _DEEPEST or "selector" in generator:
        return unknown
    if isinstance(generator.get("list"), dict):
        # elementsYaml is a template over what other generators give.
        return unknown if "elementsYaml" in generator["list"] else _of_list(generator["list"])
    if isinstance(generator.get("git"), dict):
        return _of_git(generator["git"], tree, is_own, go=go)
    for outer, combine in (("matrix", _product), ("merge", _joined)):
        if isinstance(generator.get(outer), dict):
            inner = generator[outer].get("generators")
            parts = [
                _of(_mapping(part), tree, is_own, go=go, depth=depth + 1)
                for part in (inner if isinstance(inner, list) else ())
            ]
            keys = generator[outer].get("mergeKeys")
            return combine(parts, [str(key) for key in keys] if isinstance(keys, list) else [])
    return unknown


def _of_list(generator: Mapping[str, Any]) -> list[Parameters]:
    elements = generator.get("elements")
    return [
        Parameters(element)
        for element in (elements if isinstance(elements, list) else ())
        if isinstance(element, dict)
    ]


def _product(parts: Sequence[list[Parameters]], _keys: Sequence[str]) -> list[Parameters]:
    results = []
    for combination in itertools.islice(itertools.product(*parts), _MOST):
        values: dict[str, Any] = {}
        for part in combination:
            values |= part.values
        results.append(Parameters(values, complete=all(part.complete for part in combination)))
    return results


def _joined(parts: Sequence[list[Parameters]], keys: Sequence[str]) -> list[Parameters]:
    """The first generator's parameters, each with those of the others that agree in the keys."""
    if not parts:
        return []
    if not all(single.complete for part in parts for single in part):
        return [Parameters(single.values, complete=False) for single in parts[0]]

    def key(single: Parameters) -> tuple[str, ...]:
        flat = _flat(single.values)
        return tuple(str(flat.get(name)) for name in keys)

    results = []
    for base in parts[0]:
        values = dict(base.values)
        for part in parts[1:]:
            for other in part:
                if key(other) == key(base):
                    values |= other.values
        results.append(Parameters(values))
    return results


def _of_git(
    git: Mapping[str, Any], tree: trees.Tree, is_own: Callable[[Any], bool], *, go: bool
) -> list[Parameters]:
    unknown = [Parameters({}, complete=False)]
    if not is_own(git.get("repoURL")):
        return unknown
    directories, files = git.get("directories"), git.get("files")
    included, excluded = _patterns(directories if isinstance(directories, list) else files)
    # A generator that is the second child of a matrix may ask for what the first one gives.
    if any("{{" in pattern for pattern in (*included, *excluded)):
        return unknown
    prefix = str(git.get("pathParamPrefix") or "")
    extra = git.get("values")
    results = []
    if isinstance(directories, list):
        results += [
            _with_path({}, folder, "", prefix)
            for folder in _folders(tree)
            if _is_chosen(folder, included, excluded, _fits)
        ]
    else:
        for path in tree.files():
            # Unlike that of directories, the generator of files takes `*` for any path; see
            # `generators`.
            if _is_chosen(path, included, excluded, fnmatchcase):
                folder, _, name = path.rpartition("/")
                results += [_with_path(own, folder, name, prefix) for own in _contents(tree, path)]
    if isinstance(extra, dict):
        results = [_with_values(single, extra, go=go) for single in results]
    return [Parameters(single) for single in results]


def _with_values(
    parameters: dict[str, Any], extra: Mapping[str, Any], *, go: bool
) -> dict[str, Any]:
    known_values = parameters if go else _flat(parameters)
    values = _rendered(extra, known_values, {}, (), go=go, complete=True)
    return {**parameters, "values": values}


def _patterns(entries: Any) -> tuple[list[str], list[str]]:
    """The paths that a git generator includes, and those that it excludes."""
    included: list[str] = []
    excluded: list[str] = []
    for entry in map(_mapping, entries if isinstance(entries, list) else ()):
        (excluded if entry.get("exclude") is True else included).append(str(entry.get("path")))
    return included, excluded


def _is_chosen(
    path: str, included: list[str], excluded: list[str], fits: Callable[[str, str], bool]
) -> bool:
    is_included = any(fits(path, pattern) for pattern in included)
    return is_included and not any(fits(path, pattern) for pattern in excluded)


def _folders(tree: trees.Tree) -> Iterator[str]:
    """The folders that a directories generator looks at."""
    folders: set[str] = set()
    for path in tree.files():
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for folder in sorted(folders):
        # Argo CD leaves out folders whose names begin with a dot.
        if not any(part.startswith(".") for part in folder.split("/")):
            yield folder


def _fits(path: str, pattern: str) -> bool:
    """Whether a folder fits a pattern of a directories generator, whose ``*`` stops at a slash."""
    parts, patterns = path.split("/"), pattern.strip("/").split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _contents(tree: trees.Tree, path: str) -> list[dict[str, Any]]:
    try:
        data = tree.read(path) or b""
        content = libyaml.load(data.decode()) if len(data) <= _LARGEST_FILE else None
    except (errors.FileFault, libyaml.Fault, ValueError):
        return []
    entries = content if isinstance(content, list) else [content]
    return [entry for entry in entries if isinstance(entry, dict)]


def _with_path(own: Mapping[str, Any], folder: str, file: str, prefix: str) -> dict[str, Any]:
    path: dict[str, Any] = {
        "path": folder,
        "basename": folder.rpartition("/")[2],
        "basenameNormalized": set_templates.normalized(folder.rpartition("/")[2]),
        "segments": folder.split("/"),
    }
    if file:
        path |= {"filename": file, "filenameNormalized": set_templates.normalized(file)}
    return {**own, **({prefix: {"path": path}} if prefix else {"path": path})}


def _flat(values: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """Nested parameters under the names by which templates without Go know them."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{name}.{key}" if name else str(key)
        if key == "path" and isinstance(value, Mapping) and "segments" in value:
            flat[path] = value["path"]
            flat |= {f"{path}[{i}]": part for i, part in enumerate(value["segments"])}
            flat |= {
                f"{path}.{part}": text for part, text in value.items() if isinstance(text, str)
            }
        elif isinstance(value, Mapping):
            flat |= _flat(value, path)
        else:
            flat[path] = value
    return flat


def _rendered(
    node: Any,
    parameters: Mapping[str, Any],
    missing: dict[tuple[str | int, ...], str],
    keys: tuple[str | int, ...],
    *,
    go: bool,
    complete: bool,
) -> Any:
    if isinstance(node, str):
        try:
            return set_templates.render(node, parameters, go=go, complete=complete)
        except set_templates.Unknown:
            return node
        except set_templates.Missing as fault:
            missing[keys] = str(fault)
            return node
    if isinstance(node, dict):
        return {
            key: _rendered(value, parameters, missing, (*keys, key), go=go, complete=complete)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [
            _rendered(value, parameters, missing, (*keys, i), go=go, complete=complete)
            for i, value in enumerate(node)
        ]
    return node


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
