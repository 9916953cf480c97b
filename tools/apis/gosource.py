"""What only the Go source of ``k8s.io/api`` says: closed sets of values, and when an API is deprecated and removed.

The OpenAPI documents carry neither.
Both are written by Kubernetes' own generators' markers (``+enum``, ``prerelease-lifecycle-gen``), so a few regular
expressions read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_ENUM = re.compile(r"// \+enum\n(?://[^\n]*\n)*type (\w+) string")
_CONST = re.compile(
    r"^\s+\w+\s+(\w+)\s*=\s*\"([^\"]*)\"|^\s+\w+\s*=\s*(\w+)\(\"([^\"]*)\"\)", re.MULTILINE
)
_COMPUTED = re.compile(r"^\s+\w+\s+(\w+)\s*=\s*[^\s\"]|^\s+\w+\s*=\s*(\w+)\([^\"]", re.MULTILINE)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\t\w+\s+(\[\]|\*|)(?:(\w+)\.)?(\w+)\s+`json:\"(\w+)", re.MULTILINE)
_LIFE = re.compile(
    r"func \(in \*(\w+)\) APILifecycle(\w+)\(\)[^{]*\{\n\treturn ([^\n]+)\n", re.MULTILINE
)
_NUMBERS = re.compile(r"(\d+), (\d+)")
_NAMED = re.compile(r'Group: "([^"]*)", Version: "([^"]*)", Kind: "([^"]*)"')

Enums = dict[tuple[str, str], tuple[str, list[str]]]


def enums(module: Path) -> Enums:
    """(definition, property) → (``""`` or ``"[]"``, values), for the properties whose values are a closed set."""
    by_package: dict[str, dict[str, list[str]]] = {}
    packages = sorted(path.parent for path in module.glob("*/*/types.go"))
    for package in packages:
        text = _text(package)
        closed: dict[str, list[str]] = {name: [] for name in _ENUM.findall(text)}
        for typed, value, cast, other in _CONST.findall(text):
            if (typed or cast) in closed:
                closed[typed or cast].append(value or other)
        # A value that is computed from another is not seen here, so the set would not be whole.
        for typed, cast in _COMPUTED.findall(text):
            closed.pop(typed or cast, None)
        by_package[_name(package)] = {name: values for name, values in closed.items() if values}
    value_sets: Enums = {}
    for package in packages:
        own = _name(package)
        for struct, body in _STRUCT.findall(_text(package)):
            for shape, qualifier, kind, field in _FIELD.findall(body):
                home = (
                    own if not qualifier else {"v1": "core.v1", "corev1": "core.v1"}.get(qualifier)
                )
                values = by_package.get(home or "", {}).get(kind)
                if values and (not qualifier or home != own or own == "core.v1"):
                    key = (f"{own}.{struct}", field)
                    value_sets[key] = ("[]" if shape == "[]" else "", values)
    return value_sets


def lives(module: Path) -> Iterator[tuple[str, list[str | None]]]:
    """``group/version/Kind`` → minor version of deprecation, of removal, and what replaces it."""
    for path in sorted(module.glob("*/*/zz_generated.prerelease-lifecycle.go")):
        group, version = _group(path.parent), path.parent.name
        methods: dict[str, dict[str, str]] = {}
        for kind, method, returned in _LIFE.findall(path.read_text("utf-8")):
            methods.setdefault(kind, {})[method] = returned
        for kind, lifetimes in methods.items():
            if "Deprecated" in lifetimes and not kind.endswith("List"):
                name = "/".join(part for part in (group, version, kind) if part)
                yield (
                    name,
                    [
                        _minor(lifetimes["Deprecated"]),
                        _minor(lifetimes.get("Removed")),
                        _gvk(lifetimes.get("Replacement")),
                    ],
                )


def _text(package: Path) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(package.glob("*types*.go")))


def _name(package: Path) -> str:
    return f"{package.parent.name}.{package.name}"


def _group(package: Path) -> str:
    """The API group as clients say it, from the package's register.go."""
    match = re.search(r'GroupName = "([^"]*)"', (package / "register.go").read_text("utf-8"))
    return match[1] if match else package.parent.name


def _minor(returned: str | None) -> str | None:
    match = _NUMBERS.search(returned or "")
    return f"{match[1]}.{match[2]}" if match else None


def _gvk(returned: str | None) -> str | None:
    match = _NAMED.search(returned or "")
    return "/".join(part for part in match.groups() if part) if match else None
