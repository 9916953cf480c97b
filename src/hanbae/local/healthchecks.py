"""A probe of the kubelet as a health check of Compose.

The kubelet asks from outside; Compose runs a command in the container, and images without a shell have none that could
ask. So the check runs a program that a volume brings: it works in every image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from hanbae import wording
from hanbae.local.composition import Healthcheck
from hanbae.releases import shells

PROGRAM: Final = "/.hanbae/busybox"
"""Where the program is in each container that is probed over the network."""
_PROBES: Final = ("readinessProbe", "startupProbe", "livenessProbe")
_HOST: Final = "127.0.0.1"
_LONGEST: Final = 128 * 1024
"""Characters of an argument; Linux gives a program no longer one."""
_MOST: Final = 86_400
"""Seconds; what is longer is of nobody who wants to wait for it."""

Read = tuple[Healthcheck | None, tuple[wording.Text, ...]]


def of(container: Mapping[str, Any]) -> Read:
    """The health check of a container, and what its probes ask for beyond that.

    Readiness is what others wait for, so its probe is taken first. Until the start-up probe would have given up,
    failures do not count.
    """
    probes = {name: container[name] for name in _PROBES if isinstance(container.get(name), Mapping)}
    if not probes:
        return None, ()
    probe = next(iter(probes.values()))
    test, shows, gaps = _test(probe, container)
    if "livenessProbe" in probes:
        gaps = (*gaps, wording.Text("local.gap-liveness"))
    if not test:
        return None, gaps
    startup = probes.get("startupProbe")
    start = _seconds(probe, "initialDelaySeconds", 0)
    if startup is not None:
        start = max(
            start,
            _seconds(startup, "initialDelaySeconds", 0)
            + _seconds(startup, "failureThreshold", 3) * _seconds(startup, "periodSeconds", 10),
        )
    return (
        Healthcheck(
            test,
            interval=_seconds(probe, "periodSeconds", 10) or 1,
            timeout=_seconds(probe, "timeoutSeconds", 1) or 1,
            retries=_seconds(probe, "failureThreshold", 3) or 1,
            start_period=min(start, _MOST),
            shows=shows,
        ),
        gaps,
    )


def is_over_network(check: Healthcheck | None) -> bool:
    """Whether the check runs the program that the volume brings."""
    return check is not None and PROGRAM in check.test


def without_secrets(check: Healthcheck) -> Healthcheck:
    """The check with its command alone, for comparisons."""
    return msgspec.structs.replace(check, shows=())


_Test = tuple[tuple[str, ...], tuple[str, ...], tuple[wording.Text, ...]]


def _test(probe: Mapping[str, Any], container: Mapping[str, Any]) -> _Test:
    command = probe.get("exec")
    if isinstance(command, Mapping) and isinstance(command.get("command"), list):
        words = tuple(_expanded(command["command"], container))
        return ("CMD", *words), words, ()
    for kind in ("httpGet", "tcpSocket", "grpc"):
        request = probe.get(kind)
        if not isinstance(request, Mapping):
            continue
        port = _port(request.get("port"), container)
        if port is None:
            facts = {"port": str(request.get("port"))}
            return (), (), (wording.Text("local.gap-probe-port", facts),)
        if kind == "httpGet":
            return _of_http(request, port)
        gaps = (wording.Text("local.gap-grpc", {"port": str(port)}),) if kind == "grpc" else ()
        # Of the builds of busybox, not all have -z.
        nothing = ("-e", PROGRAM, "true")
        return ("CMD", PROGRAM, "nc", _HOST, str(port), *nothing), (str(port),), gaps
    return (), (), (wording.Text("local.gap-probe"),)


def _expanded(words: Sequence[Any], container: Mapping[str, Any]) -> Iterator[str]:
    """The words of a command as the kubelet expands them for a probe: only with what ``env`` says, as it says it."""
    entries = container.get("env")
    values = {
        str(entry["name"]): str(entry.get("value") or "")
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping) and "name" in entry
    }
    for word in map(str, words):
        texts = [
            values[part.name] if isinstance(part, shells.Variable) else str(part)
            for part in shells.argument(word, values)
        ]
        yield "".join(texts) if sum(map(len, texts)) <= _LONGEST else word


def _of_http(request: Mapping[str, Any], port: int) -> _Test:
    path = str(request.get("path") or "/")
    path = path if path.startswith("/") else f"/{path}"
    scheme = "https" if str(request.get("scheme") or "").upper() == "HTTPS" else "http"
    # Docker ends what takes too long; -T of wget crashes in some builds.
    words = ["CMD", PROGRAM, "wget", "-q", "-O", "/dev/null"]
    if scheme == "https":
        words.append("--no-check-certificate")
    headers = request.get("httpHeaders")
    for header in headers if isinstance(headers, list) else ():
        if isinstance(header, Mapping):
            words += ["--header", f"{header.get('name')}: {header.get('value')}"]
    return (*words, f"{scheme}://{_HOST}:{port}{path}"), (str(port), path), ()


def _port(value: Any, container: Mapping[str, Any]) -> int | None:
    """The number of a port that may be called by its name."""
    ports = container.get("ports")
    for entry in ports if isinstance(ports, list) else ():
        if isinstance(entry, Mapping) and entry.get("name") == value:
            value = entry.get("containerPort")
            break
    return number(value)


def number(value: Any) -> int | None:
    """A port number; None for what is none."""
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) <= 5):  # noqa: PLR2004
        return None
    return int(text) if 0 < int(text) < 65_536 else None  # noqa: PLR2004


def _seconds(probe: Mapping[str, Any], key: str, default: int) -> int:
    value = probe.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return int(min(max(value, 0), _MOST))
