"""The keys of values files: what the example has, what the environments have, what the templates read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import libyaml, patterns, subjects
from hanbae.policy import naming
from hanbae.rules import rulebook, valuesfiles, views

_POLICY: Final = "deployment-policy.ko.md, Helm 차트 구조"
# Which of these there are depends on the environment: sealed keys are the secrets' rules' own.
_OPEN: Final = ("sealedSecret", "externalSecret")
_LINE: Final = patterns.lazy(
    r"^( *)(?:- +)?(?:\"([^\"\n]+)\"|'([^'\n]+)'|([\w./-]+)) *:(?= |$)", re.MULTILINE
)
_SEALED: Final = patterns.lazy(r"^sealedSecret:.*(?:\n(?:[ #].*)?)*", re.MULTILINE)

Keys = tuple[str, ...]


@rulebook.of_service("LAY005", "error", source=_POLICY, essential=False)
def only_in_example(service: views.Service) -> Iterator[rulebook.Hit]:
    """A template reads a key that only the example has: it works on the author's machine and nowhere else."""
    for key, environments in _lacking(service).items():
        read = _reading(service, key)
        if read is not None:
            files = [_file(service, name) for name in environments]
            yield rulebook.Hit(read, {"key": ".".join(key), "files": ", ".join(files)})


@rulebook.of_service("LAY006", "warning", source=_POLICY, essential=False)
def unequal_keys(service: views.Service) -> Iterator[rulebook.Hit]:
    """The example and the environments' values differ in their keys."""
    for key, environments in _lacking(service).items():
        if _reading(service, key) is None:
            for name in environments:
                facts = {"key": ".".join(key), "file": _file(service, name)}
                yield rulebook.Hit(service.releases[name].value_place(*key), facts, "environment")
    fault = service.values(_path(service)).fault
    if fault is not None:
        yield rulebook.Hit(fault, {}, "broken")
    example = _example(service)
    if example is None:
        return
    released = [_own(release.values) for release in service.releases.values()]
    if released and len(released) == len(service.project.environments):
        for key in valuesfiles.missing(example, released[0], whole=True):
            everywhere = all(_has(values, key) for values in released[1:])
            if everywhere and not _misspelt(service, example, key):
                place = service.value_place(_path(service), key)
                yield rulebook.Hit(place, {"key": ".".join(key)}, "example")


@rulebook.of_release(
    "LAY007", "warning", source="https://helm.sh/docs/topics/charts/#schema-files", essential=False
)
def misspelt(release: views.Release) -> Iterator[rulebook.Hit]:
    """A key that nothing knows, spelled almost like one that is known."""
    example = _example(release.service)
    if example is None:
        return
    for key in valuesfiles.missing(example, _own(release.values), whole=True):
        near = _near(example, release.values, key)
        if near is not None and not _is_read(release.service, key):
            facts = {"key": ".".join(key), "near": ".".join((*key[:-1], near))}
            yield rulebook.Hit(release.value_place(*key), facts)


def _lacking(service: views.Service) -> dict[Keys, list[str]]:
    """Key of the example → the environments that have it neither in their file nor in the chart's defaults."""
    example = _example(service)
    lacking: dict[Keys, list[str]] = {}
    if example is None:
        return lacking
    for name, release in service.releases.items():
        for key in valuesfiles.missing(release.values, _own(example)):
            lacking.setdefault(key, []).append(name)
    return lacking


def _example(service: views.Service) -> Mapping[str, Any] | None:
    """The example's values, where its keys are not plainly those of every environment; None where they are."""
    return service.once(_read_example)


def _read_example(service: views.Service) -> Mapping[str, Any] | None:
    """See :func:`_example`; comparing lines comes first, because reading YAML takes a hundred times as long."""
    text = service.text(_path(service))
    if text is None:
        return None
    lines = _outline(text.encode())
    files = [service.text(release.values_file) for release in service.releases.values()]
    defaults = service.text(service.chart_file("values.yaml"))
    if defaults is None and all(
        file is not None and _outline(file.encode()) == lines for file in files
    ):
        return None
    return libyaml.mapping(text)


@valuesfiles.of_layout
def _outline(data: bytes) -> list[tuple[str, ...]]:
    """The keys, each with its indentation, outside of what is sealed."""
    return _LINE.findall(_SEALED.sub("", data.decode()))


def _path(service: views.Service) -> str:
    return service.chart_file("values.yaml.example")


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in (*_OPEN, "global")}


def _has(values: Mapping[str, Any], key: Keys) -> bool:
    node: Any = values
    for part in key:
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def _near(example: Mapping[str, Any], values: Mapping[str, Any], key: Keys) -> str | None:
    """The key of the example that was meant: near, and not there under its own name."""
    node: Any = example
    siblings: Any = values
    for part in key[:-1]:
        node, siblings = node[part], siblings[part]
    absent = [str(name) for name in node if name not in siblings]
    spelling = re.sub(r"[_-]", "", key[-1]).lower()
    # `max_surge` for `maxSurge` comes before what is only spelled alike.
    same = [name for name in absent if re.sub(r"[_-]", "", name).lower() == spelling]
    near = same or difflib.get_close_matches(key[-1], absent, n=1, cutoff=0.8)
    return near[0] if near else None


def _misspelt(service: views.Service, example: Mapping[str, Any], key: Keys) -> bool:
    return any(
        _near(example, release.values, key) is not None
        for release in service.releases.values()
        if _has(release.values, key)
    )


def _reading(service: views.Service, key: Keys) -> subjects.Place | None:
    """The first line of a template that reads a key and says nothing for the case that it is missing."""
    name = f".Values.{'.'.join(key)}"
    pattern = re.compile(rf"{re.escape(name)}(?![A-Za-z0-9_])")
    for path in service.chart_files:
        if not path.startswith("templates/"):
            continue
        text = service.text(service.chart_file(path)) or ""
        if name not in text:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            softly = re.search(
                r"\b(?:if|with|default|hasKey|dig|coalesce|or|and|range)\b|\)\.", line
            )
            if pattern.search(line) and not softly:
                return subjects.Place(service.chart_file(path), number)
    return None


def _is_read(service: views.Service, key: Keys) -> bool:
    name = re.compile(rf"\.Values\.{re.escape('.'.join(key))}(?![A-Za-z0-9_])")
    return any(
        name.search(service.text(service.chart_file(path)) or "")
        for path in service.chart_files
        if path.startswith("templates/")
    )


def _file(service: views.Service, environment: str) -> str:
    return naming.values_name(service.policy, service.name, environment)
