"""The disposable process that renders charts: ``python -m hanbae.charts.worker``.

Charts are hostile until checked: ``tpl`` recursion or ``until 2000000000`` abort the process that renders, and
Helm's own code runs here as a native library.
So it runs in a process of its own, with an empty environment and limits on memory, CPU and files that are set
before the library is loaded.
It is spawned, never forked: Helm's library brings the Go runtime, which hangs in a forked copy.

A message is its length in eight bytes and its content: requests are marshalled by the parent, which is trusted here;
answers are JSON, because the parent trusts nothing.
A chart comes as an archive in memory, so nothing of the file system can become part of it.

The module imports nothing of hanbae's: what it does not load can neither slow it down nor leak from it.
"""

from __future__ import annotations

import gzip
import io
import json
import marshal
import os
import re
import resource
import sys
import tarfile
from collections.abc import Iterator
from typing import IO, Any

MEMORY = 4 * 1024**3
"""Address space in bytes; Go reserves far more than it uses, what it uses stays below a few hundred MB."""
CPU = 20
"""CPU seconds for one chart; a large chart takes well under one."""
_SEPARATOR = re.compile(r"(?:^|\n)---[^\S\n]*(?:#[^\n]*)?(?=\n|$)")
_TEMPLATED = (".yaml", ".yml", ".json")


def confine() -> None:
    """Give up what rendering does not need."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        resource.setrlimit(limit, (value, value))
    os.umask(0o077)


def allow_more_time() -> None:
    """Let this process take `CPU` seconds from now on, for the next chart."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def archived(files: dict[str, bytes]) -> bytes:
    """A chart as the archive that Helm loads, not compressed."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"chart/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), 0)


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Two values files as ``helm -f under -f over`` merges them: maps key by key, all else replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def answers(request: dict[str, Any]) -> Iterator[str]:
    """One JSON text for each release that the request wants of its chart, in order."""
    import helm_python

    try:
        chart = helm_python.Chart.load_archive(archived(request["files"]))
    except Exception as error:  # noqa: BLE001  every failure is the chart's until proven otherwise
        yield from [_failure(error)] * len(request["wanted"])
        return
    with chart:
        crds = [(crd["filename"], crd["data"]) for crd in chart.crds]
        for wanted in request["wanted"]:
            try:
                yield _answer(chart, crds, wanted, texts=request["texts"])
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001  the same
                yield _failure(error)


def _answer(chart: Any, crds: list[tuple[str, str]], wanted: dict[str, Any], *, texts: bool) -> str:
    """``values`` (merged with the chart's defaults), ``documents`` (template and content), and ``texts`` if wanted."""
    import helm_python
    from helm_python import _native

    values: dict[str, Any] = {}
    for text in wanted["values"]:
        values = merged(values, helm_python.values_from_yaml(text) or {})
    options: dict[str, Any] = {"name": wanted["release"], "namespace": wanted["namespace"]}
    if wanted["kube_version"]:
        options["kube_version"] = wanted["kube_version"]
    if wanted["api_versions"]:
        options["api_versions"] = wanted["api_versions"]
    handle, given = chart._raw(), json.dumps(values)  # noqa: SLF001
    # The library's render() takes neither the Kubernetes version nor API versions; its C call does.
    # It answers with JSON already, which goes on to the parent as it is.
    rendered = _native.call_string("helm_render", handle, given, json.dumps(options))
    whole = _native.call_string("helm_chart_merge_values", handle, given)
    found = [*crds, *json.loads(rendered).items()]
    documents = ",".join(
        f"[{json.dumps(name)},{content}]"
        for name, text in found
        if name.endswith(_TEMPLATED)
        for content in _contents(text, name)
    )
    more = f',"texts":{rendered}' if texts else ""
    return f'{{"values":{whole or "{}"},"documents":[{documents}]{more}}}'


def _contents(text: str, name: str) -> Iterator[str]:
    """The documents of a rendered text as JSON; nothing for empty ones."""
    from helm_python import _native

    if "\0" in text:  # where the library's strings end
        message = f"{name}: control characters are not allowed"
        raise ValueError(message)
    for document in _SEPARATOR.split(text):
        if document.strip():
            try:
                content = _native.call_string("helm_values_from_yaml", document)
            except Exception as error:
                message = f"{name}: {error}"
                raise ValueError(message) from error
            if content not in {"null", "{}"}:
                yield content


def _failure(error: Exception) -> str:
    return json.dumps({"error": f"{error}", "type": type(error).__name__})


def main() -> int:
    """Answer requests until there are none; an error that Helm names is an answer as well."""
    confine()
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    while (request := _received(requests)) is not None:
        allow_more_time()
        try:
            reply = f"[{','.join(answers(request))}]".encode()
        except MemoryError:
            return 3
        replies.write(len(reply).to_bytes(8, "big") + reply)
        replies.flush()
    return 0


def _received(stream: IO[bytes]) -> dict[str, Any] | None:
    head = stream.read(8)
    if len(head) < 8:  # noqa: PLR2004  the parent has gone, or wants no more
        return None
    content: dict[str, Any] = marshal.loads(stream.read(int.from_bytes(head, "big")))  # noqa: S302
    return content


if __name__ == "__main__":
    sys.exit(main())
