"""A local environment as the text of ``compose.yaml``.

Compose replaces ``$NAME`` wherever it stands, so every ``$`` of a chart is doubled. Every text that is not a plain word
is quoted, since readers of YAML differ on what ``yes``, ``012`` and ``1_000`` are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any, Final

from hanbae import patterns
from hanbae.charts import filling
from hanbae.local import limits, pods
from hanbae.local.composition import FOLDER, Composition, Healthcheck, Port, Service

NAME: Final = "compose.yaml"
"""The file, at the root of the repository."""
MARK: Final = "hanbae generate compose"
"""What the first lines of a file hold that hanbae wrote."""
BUILD: Final = f"{FOLDER}/build.yaml"
"""What is laid over it where images are built here."""
_PLAIN: Final = patterns.lazy(
    r"(?!(?:true|false|yes|no|on|off|null|y|n)$)[a-z][a-z0-9_./-]*", re.IGNORECASE
)


def text(composition: Composition, language: str) -> str:
    """The file."""
    document: dict[str, Any] = {
        "name": composition.name,
        "services": {service.name: _service(service) for service in composition.services},
    }
    if composition.volumes:
        document["volumes"] = {name: {} for name in composition.volumes}
    facts = {"environment": composition.environment}
    return filling.filled("repository/compose.yaml", language, facts) + yaml(document)


def build_text(composition: Composition) -> str:
    """What is laid over the file so that images are built here instead of being those that the charts name."""
    services = {
        service.name: {"image": service.build.image} | _build(service)
        for service in composition.services
        if service.build is not None
    }
    return yaml({"services": services})


def yaml(document: Mapping[str, Any]) -> str:
    """A document for Compose, with every ``$`` doubled but in the references that are ours."""
    from ruamel.yaml import YAML

    writer = YAML()
    writer.default_flow_style = False
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(_quoted(document), stream)
    return stream.getvalue()


class _Reference(str):
    """A text in which Compose is to replace variables."""

    __slots__ = ()


def _service(service: Service) -> dict[str, Any]:
    entry: dict[str, Any] = {"image": service.image}
    if service.unnamed:
        entry |= _build(service)
    parts: dict[str, Any] = {
        "entrypoint": None if service.entrypoint is None else list(service.entrypoint),
        "command": None if service.command is None else list(service.command),
        "environment": dict(sorted(service.environment.items())) or None,
        "env_file": [pods.env_file(service)] if service.has_secrets else None,
        "ports": [_port(port) for port in service.ports] or None,
        "networks": {"default": {"aliases": list(service.aliases)}} if service.aliases else None,
        "healthcheck": _healthcheck(service.healthcheck),
        "depends_on": {
            name: {"condition": condition} for name, condition in service.depends_on.items()
        }
        or None,
        "deploy": _deploy(service),
    }
    return {
        **entry,
        **{key: part for key, part in parts.items() if part is not None},
        **service.settings,
    }


def _deploy(service: Service) -> dict[str, Any] | None:
    caps = {}
    if service.cpus:
        caps["cpus"] = service.cpus
    if service.memory is not None:
        caps["memory"] = limits.written(service.memory)
    return {"resources": {"limits": caps}} if caps else None


def _build(service: Service) -> dict[str, Any]:
    # Several services of one image: the one that runs on builds it for the others.
    if service.build is None or service.role != "workload":
        return {}
    return {"build": {"context": service.build.context, "dockerfile": service.build.dockerfile}}


def _port(port: Port) -> _Reference:
    # Of this machine only: what runs here has development's passwords.
    return _Reference(f"127.0.0.1:${{{port.variable}:-{port.host}}}:{port.container}")


def _healthcheck(check: Healthcheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    entry: dict[str, Any] = {
        "test": list(check.test),
        "interval": f"{check.interval}s",
        "timeout": f"{check.timeout}s",
        "retries": check.retries,
    }
    if check.start_period:
        entry["start_period"] = f"{check.start_period}s"
    return entry


def _quoted(value: Any) -> Any:
    """Texts in quotes unless they are plain words; every part a copy, since one that is met twice becomes an alias."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if isinstance(value, Mapping):
        return {_key(key): _quoted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(item) for item in value]
    if not isinstance(value, str):
        return value
    escaped = str(value) if isinstance(value, _Reference) else value.replace("$", "$$")
    if _PLAIN.fullmatch(escaped):
        return escaped
    if "\n" in escaped and _is_block(escaped):
        return LiteralScalarString(escaped)
    return DoubleQuotedScalarString(escaped)


def _key(key: Any) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    text = str(key)
    return text if _PLAIN.fullmatch(text) else DoubleQuotedScalarString(text)


def _is_block(text: str) -> bool:
    """Whether a block of lines holds exactly this text, for every reader."""
    return (
        text.endswith("\n")
        and not text.endswith("\n\n")
        and text[0] not in " \n\t"
        and all(
            line.isprintable() and line == line.rstrip() and "\t" not in line
            for line in text.split("\n")
        )
    )
