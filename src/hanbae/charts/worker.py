"""The disposable process that renders one chart: ``python -m hanbae.charts.worker``.

Charts are hostile until checked: ``tpl`` recursion or ``until 2000000000`` abort the process that renders, and
Helm's own code runs here as a native library.
So it runs in a process of its own, with an empty environment, limits on memory, CPU and files that are set
before the library is loaded, one request on standard input and one answer on standard output.
It is spawned, never forked: Helm's library brings the Go runtime, which hangs in a forked copy.

The module imports nothing of hanbae's: what it does not load can neither slow it down nor leak from it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from typing import Any

MEMORY = 4 * 1024**3
"""Address space in bytes; Go reserves far more than it uses, what it uses stays below a few hundred MB."""
CPU = 20
"""CPU seconds; a large chart takes well under one."""
_SEPARATOR = re.compile(r"(?:^|\n)---[^\S\n]*(?:#[^\n]*)?(?=\n|$)")
_TEMPLATED = (".yaml", ".yml", ".json")


def confine() -> None:
    """Give up what rendering does not need."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        resource.setrlimit(limit, (value, value))
    os.umask(0o077)


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Two values files as ``helm -f under -f over`` merges them: maps key by key, all else replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Render as the request says.

    Returns:
        ``values`` (merged with the chart's defaults) and ``manifests``: a list of ``[template, object]``
        in no particular order.
    """
    import helm_python
    from helm_python import _native

    values: dict[str, Any] = {}
    for text in request["values"]:
        values = merged(values, helm_python.values_from_yaml(text) or {})
    options: dict[str, Any] = {"name": request["release"], "namespace": request["namespace"]}
    if request["kube_version"]:
        options["kube_version"] = request["kube_version"]
    if request["api_versions"]:
        options["api_versions"] = request["api_versions"]
    with helm_python.Chart.load(request["chart"]) as chart:
        handle = chart._raw()  # noqa: SLF001
        # The library's render() takes neither the Kubernetes version nor API versions; its C call does.
        rendered = json.loads(
            _native.call_string("helm_render", handle, json.dumps(values), json.dumps(options))
        )
        texts = [(crd["filename"], crd["data"]) for crd in chart.crds]
        texts += [(name, text) for name, text in rendered.items() if name.endswith(_TEMPLATED)]
        whole = chart.merge_values(values)
    manifests = [
        [name, thing]
        for name, text in texts
        for document in _SEPARATOR.split(text)
        for thing in _objects(helm_python.values_from_yaml(document), name)
    ]
    return {"values": whole, "manifests": manifests}


def _objects(document: dict[str, Any] | None, template: str) -> list[dict[str, Any]]:
    """The objects in a document: none in an empty one, several in a ``List``."""
    if not document:
        return []
    if document.get("kind") == "List":
        return [item for item in document.get("items") or [] if item]
    if not isinstance(document.get("kind"), str) or not document.get("apiVersion"):
        message = f"{template}: an object without kind or apiVersion"
        raise ValueError(message)
    return [document]


def main() -> int:
    """Read one request, write one answer; an error that Helm names is an answer as well."""
    confine()
    try:
        response = answer(json.load(sys.stdin))
    except MemoryError:
        return 3
    except Exception as error:  # noqa: BLE001  every failure is the chart's until proven otherwise
        response = {"error": f"{error}", "type": type(error).__name__}
    json.dump(response, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
