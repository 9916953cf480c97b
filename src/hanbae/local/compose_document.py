"""Reads a Compose file, whoever wrote it and in whichever of the notations that Compose allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import patterns
from hanbae.local import limits

_REFERENCE: Final = patterns.lazy(
    r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::?[-?+][^}]{0,200})?\}|\$[A-Za-z_]\w*"
)
# `ms` stands before `m`: of alternatives, the first that fits is taken.
_DURATION: Final = patterns.lazy(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(h|ms|m|s|us|ns)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.0, "ns": 0.0}
_LONGEST: Final = 60


def services(document: Any) -> dict[str, Mapping[str, Any]]:
    """The services of a file; none where it is of another shape."""
    entries = document.get("services") if isinstance(document, Mapping) else None
    if not isinstance(entries, Mapping):
        return {}
    return {str(name): entry for name, entry in entries.items() if isinstance(entry, Mapping)}


def environment(entry: Mapping[str, Any]) -> dict[str, str | None]:
    """Variable → value; None for one that is taken from where Compose runs."""
    value = entry.get("environment")
    if isinstance(value, Mapping):
        return {str(key): None if item is None else str(item) for key, item in value.items()}
    pairs = [str(item).partition("=") for item in (value if isinstance(value, list) else ())]
    return {name: text if equals else None for name, equals, text in pairs}


def env_files(entry: Mapping[str, Any]) -> list[str]:
    """The files that variables are read from."""
    value = entry.get("env_file")
    entries = value if isinstance(value, list) else [value] if value is not None else []
    return [str(item.get("path") if isinstance(item, Mapping) else item) for item in entries]


def is_literal(value: str | None) -> bool:
    """Whether a value stands in the file itself, rather than being taken from elsewhere."""
    if not value:
        return False
    return bool(_REFERENCE.sub("", value.replace("$$", "")).strip())


def ports(entry: Mapping[str, Any]) -> frozenset[int]:
    """The ports of the container that are published."""
    return frozenset(_ports(entry.get("ports")))


def _ports(value: Any) -> Iterator[int]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            target = str(item.get("target"))
        else:
            # A reference may hold colons of its own: ${PORT:-8080}
            target = _REFERENCE.sub("0", str(item)).rpartition(":")[2]
        target = target.partition("/")[0]
        if target.isascii() and target.isdigit() and len(target) <= 5:  # noqa: PLR2004
            yield int(target)


def depends_on(entry: Mapping[str, Any]) -> dict[str, str]:
    """Service → the condition under which this one begins."""
    value = entry.get("depends_on")
    if isinstance(value, Mapping):
        return {
            str(name): str(item.get("condition") or "service_started")
            if isinstance(item, Mapping)
            else "service_started"
            for name, item in value.items()
        }
    names = value if isinstance(value, list) else ()
    return {str(name): "service_started" for name in names}


def healthcheck(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The health check; None where there is none, or it is switched off."""
    value = entry.get("healthcheck")
    if not isinstance(value, Mapping) or value.get("disable") is True or not value.get("test"):
        return None
    test = value["test"]
    first = test[0] if isinstance(test, list) and test else None
    return None if first == "NONE" else value


def test_words(check: Mapping[str, Any]) -> str:
    """The command of a health check as one text."""
    test = check.get("test")
    return " ".join(map(str, test)) if isinstance(test, list) else str(test)


def seconds(value: Any) -> float | None:
    """A duration such as ``1m30s``; None for what is none."""
    text = str(value)
    parts = _DURATION.findall(text) if len(text) <= _LONGEST else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def memory(entry: Mapping[str, Any]) -> tuple[int | None, str]:
    """Bytes that a service may use, and how the file writes them; None and nothing for no limit."""
    value = _cap(entry, "memory", "mem_limit")
    return (limits.compose_memory(value), str(value)) if value is not None else (None, "")


def cpus(entry: Mapping[str, Any]) -> str:
    """Cores that a service may use; empty for no limit."""
    value = _cap(entry, "cpus", "cpus")
    return limits.compose_cpus(value) if value is not None else ""


def _cap(entry: Mapping[str, Any], key: str, older: str) -> Any:
    node: Any = entry
    for step in ("deploy", "resources", "limits"):
        node = node.get(step) if isinstance(node, Mapping) else None
    own = node.get(key) if isinstance(node, Mapping) else None
    return own if own is not None else entry.get(older)
