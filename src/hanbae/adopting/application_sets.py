"""What an ApplicationSet makes, as far as a survey can tell: its lists and folders, put into its template."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae.adopting import applications
from hanbae.policy import globs

_MOST: Final = 500
"""Applications of one set."""
_DEEPEST: Final = 12
_PLACEHOLDER: Final = re.compile(r"\{\{-? {0,4}\.?([A-Za-z0-9_.\[\]-]{1,80}) {0,4}-?\}\}")
_INDEX: Final = re.compile(r"\{\{-? {0,4}index \.path\.segments (\d{1,3}) {0,4}-?\}\}")

Parameters = dict[str, str]


def expanded(
    document: Mapping[str, Any], files: Mapping[str, str]
) -> list[applications.Application]:
    """The Applications of a set; none for generators that ask something outside of the repository.

    Args:
        document: The ApplicationSet.
        files: The files of the repository, for generators that look at folders.
    """
    spec = document.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
        return []
    template = {"metadata": {}, **spec["template"]}
    home = document.get("metadata")
    namespace = home.get("namespace") if isinstance(home, dict) else None
    results = []
    for parameters in itertools.islice(_all(spec.get("generators"), files), _MOST):
        filled = _filled(template, parameters)
        metadata = filled["metadata"] if isinstance(filled["metadata"], dict) else {}
        filled["metadata"] = {"namespace": namespace, **metadata}
        results.append(applications.from_manifest(filled))
    return results


def _all(generators: Any, files: Mapping[str, str], depth: int = 0) -> Iterator[Parameters]:
    for generator in generators if isinstance(generators, list) and depth < _DEEPEST else []:
        if isinstance(generator, dict):
            yield from _of(generator, files, depth)


def _of(generator: Mapping[str, Any], files: Mapping[str, str], depth: int) -> Iterator[Parameters]:
    parts = {key: value for key, value in generator.items() if isinstance(value, dict)}
    if "list" in parts:
        elements = parts["list"].get("elements")
        for element in elements if isinstance(elements, list) else []:
            yield dict(_flat(element))
    elif "git" in parts:
        yield from _folders(parts["git"], files)
    elif "matrix" in parts:
        generators = parts["matrix"].get("generators")
        sides = [
            list(itertools.islice(_all([inner], files, depth + 1), _MOST))
            for inner in (generators if isinstance(generators, list) else [])[:2]
        ]
        for combination in itertools.product(*sides):
            yield {key: value for side in combination for key, value in side.items()}
    elif "merge" in parts:
        generators = parts["merge"].get("generators")
        first = generators[:1] if isinstance(generators, list) else []
        yield from _all(first, files, depth + 1)


def _flat(node: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in a mapping by its path with dots."""
    for key, value in node.items() if isinstance(node, dict) and depth < _DEEPEST else ():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, str | int | float):
            yield name, str(value)


def _folders(git: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[Parameters]:
    listed = git.get("directories")
    patterns = (
        [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    )
    chosen: dict[str, bool] = {}
    for path in files:
        parts = path.split("/")
        for cut in range(1, len(parts)):
            folder = "/".join(parts[:cut])
            if folder not in chosen:
                chosen[folder] = _is_chosen(folder, patterns)
    for folder in sorted(name for name, is_chosen in chosen.items() if is_chosen):
        parts = folder.split("/")
        values = dict(_flat(git.get("values"), "values."))
        segments = {f"path[{index}]": part for index, part in enumerate(parts)}
        names = {"path": folder, "path.path": folder, "path.basename": parts[-1]}
        names |= {"path.basenameNormalized": re.sub(r"[^a-z0-9-]", "-", parts[-1].lower())}
        yield {**segments, **names, **{key: _text(value, names) for key, value in values.items()}}


def _is_chosen(folder: str, patterns: list[dict[str, Any]]) -> bool:
    fits = [
        bool(item.get("exclude"))
        for item in patterns
        if (pattern := str(item.get("path", "")).strip("/"))
        and ("**" in pattern or pattern.count("/") == folder.count("/"))
        and globs.matches(pattern, folder)
    ]
    return bool(fits) and not any(fits)


def _filled(node: Any, parameters: Parameters) -> Any:
    if isinstance(node, str):
        return _text(node, parameters)
    if isinstance(node, list):
        return [_filled(item, parameters) for item in node]
    if isinstance(node, dict):
        return {key: _filled(value, parameters) for key, value in node.items()}
    return node


def _text(text: str, parameters: Parameters) -> str:
    text = _INDEX.sub(lambda match: parameters.get(f"path[{match[1]}]", match[0]), text)
    return _PLACEHOLDER.sub(lambda match: parameters.get(match[1], match[0]), text)
