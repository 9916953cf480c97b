"""The disposable process that renders charts: ``python -m hanbae.charts.worker``.

Charts are hostile until checked: ``tpl`` recursion or ``until 2000000000`` abort the process that renders, and
Helm's own code runs here as a native library.
So it runs in a process of its own, with an empty environment and limits on memory, CPU and files that are set
before the library is loaded.
It is spawned, never forked: Helm's library brings the Go runtime, which hangs in a forked copy.

A message is its length in eight bytes and its content: requests are marshalled by the parent, which is trusted here;
answers are JSON, because the parent trusts nothing.
A chart comes as an archive in memory, so nothing of the file system can become part of it.

The module imports nothing of hanbae's but what turns Helm's output into documents: what it does not load can neither
slow it down nor leak from it.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import json
import marshal
import os
import resource
import signal
import sys
import tarfile
import types
from collections.abc import Iterator, Mapping
from typing import IO, Any, Self

from hanbae.charts import schemas, sorting

MEMORY = 4 * 1024**3
"""Address space in bytes; Go reserves far more than it uses, what it uses stays below a few hundred MB."""
CPU = 20
"""CPU seconds for one chart; a large chart takes well under one."""
MISSING = (
    "an error occurred while checking for chart dependencies: found in Chart.yaml, but missing"
    " in charts/ directory: "
)
_SCHEMA = "values.schema.json"
_PDEATHSIG = 1
_MARK = "---"
# Charts that say which Kubernetes they need are asked in Helm's own words; Helm's templates have them.
_COMPARING = {
    "Chart.yaml": b"apiVersion: v2\nname: compare\nversion: 1.0.0\n",
    "templates/a": b"{{ semverCompare .Values.wanted .Values.version }}",
}


def confine() -> None:
    """Give up what rendering does not need, and end when the parent does, however that ends."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        resource.setrlimit(limit, (value, value))
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def allow_more_time() -> None:
    """Let this process take `CPU` seconds from now on, for the next chart."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def native() -> Any:
    """Helm's library, without the Python around it: importing that takes longer than rendering a chart."""
    if "helm_python" not in sys.modules:
        found = importlib.util.find_spec("helm_python")
        package = types.ModuleType("helm_python")
        package.__path__ = list((found and found.submodule_search_locations) or ())
        sys.modules["helm_python"] = package
    from helm_python import _native

    return _native


def archived(files: Mapping[str, bytes]) -> bytes:
    """A chart as the archive that Helm loads, not compressed.

    The order is that in which Helm walks a folder: it decides the order of CRDs.
    """
    parts = []
    for name in sorted(files, key=lambda path: path.split("/")):
        content = files[name]
        parts += [_header(f"chart/{name}", len(content)), content, bytes(-len(content) % 512)]
    return gzip.compress(b"".join([*parts, bytes(1024)]), 0)


def _header(name: str, size: int) -> bytes:
    """A file's header in a tar archive; :mod:`tarfile` takes longer for it than Helm for the file."""
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) >= 100 or size >= 8**11:  # noqa: PLR2004  what the plain format holds
        member = tarfile.TarInfo(name)
        member.size = size
        return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    head = b"%-100b%07o\0%07o\0%07o\0%011o\0%011o\0        0%-100bustar  \0" % (
        encoded.ljust(100, b"\0"), 0o644, 0, 0, size, 0, bytes(100),
    )  # fmt: skip
    head = head.ljust(512, b"\0")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Two values files as ``helm -f under -f over`` merges them: maps key by key, all else replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def values_of(texts: list[str]) -> dict[str, Any]:
    """Values files as one: files over each other, and the documents of each file likewise, as Helm reads them."""
    result: dict[str, Any] = {}
    for text in texts:
        for document in _documents(text):
            result = merged(result, json.loads(_parsed(document)) or {})
    return result


def _documents(text: str) -> Iterator[str]:
    """The documents of a values file, split where Kubernetes' YAML reader splits."""
    if _MARK not in text:
        yield text
        return
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(_MARK):
            rest = line[len(_MARK) :].strip()
            if rest and not rest.startswith("#"):
                message = f"error reading yaml document: invalid Yaml document separator: {rest}"
                raise ValueError(message)
            if lines:
                yield "".join(lines)
            lines = []
        else:
            lines.append(line)
    yield "".join(lines)


def answers(request: dict[str, Any]) -> Iterator[str]:
    """One JSON text for each release that the request wants of its chart, in order."""
    files = request["files"]
    depends = _depends(files)
    schema = None if depends else files.get(_SCHEMA)
    try:
        _check_versions(request["resolved"])
        archive = archived(files)
        bare = archived({name: files[name] for name in files if name != _SCHEMA}) if schema else b""
    except Exception as error:  # noqa: BLE001  every failure is the chart's until proven otherwise
        yield from [_failure(error)] * len(request["wanted"])
        return
    _KNOWN.clear()
    with _Charts(anew=depends) as charts:
        for wanted in request["wanted"]:
            try:
                given = json.dumps(values_of(wanted["values"]))
                answer = None
                if schema:
                    chart = charts.load(bare)
                    answer = _without_schema(chart, schema, wanted, request, given)
                if answer is None:
                    answer = _answer(charts.load(archive), wanted, request, given)
                yield answer
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001  the same
                yield _failure(error)


def _depends(files: Mapping[str, bytes]) -> bool:
    """Whether a chart has, or may have, charts in it, whose schemas count as well."""
    metadata = files.get("Chart.yaml", b"")
    named = "requirements.yaml" in files or b"dependencies" in metadata
    return named or any(name.startswith("charts/") for name in files)


def _without_schema(
    chart: _Chart, schema: bytes, wanted: dict[str, Any], request: dict[str, Any], given: str
) -> str | None:
    """The answer where the values surely satisfy the schema, which no template can see; else None."""
    whole = chart.call("helm_chart_merge_values", given)
    if not schemas.surely_holds(schema, json.loads(whole or "{}")):
        return None
    # Without dependencies, rendering changes nothing about the values.
    return _answer(chart, wanted, request, given, whole)


class _Chart:
    """A chart that Helm holds; every method is one of its calls."""

    def __init__(self, archive: bytes) -> None:
        import ctypes

        buffer = (ctypes.c_uint8 * len(archive)).from_buffer_copy(archive)
        self._handle = native().call_handle("helm_chart_load_archive", buffer, len(archive))
        self._said: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def call(self, name: str, *args: str) -> str:
        return str(native().call_string(name, self._handle, *args))

    def once(self, name: str) -> Any:
        """What a call without arguments gives, which does not change."""
        if name not in self._said:
            self._said[name] = json.loads(self.call(name))
        return self._said[name]

    def free(self) -> None:
        native().call_status("helm_chart_free", self._handle)


class _Charts:
    """The charts that one request is about, until the scope ends.

    Args:
        anew: Whether each is loaded whenever it is asked for: rendering one takes away the dependencies that its
            values disable.
    """

    def __init__(self, *, anew: bool) -> None:
        self._anew = anew
        self._held: dict[bytes, _Chart] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._free()

    def load(self, archive: bytes) -> _Chart:
        if self._anew:
            self._free()
        if archive not in self._held:
            self._held[archive] = _Chart(archive)
        return self._held[archive]

    def _free(self) -> None:
        while self._held:
            self._held.popitem()[1].free()


def _check_versions(resolved: list[tuple[str, str, str]]) -> None:
    """Dependencies that were found in the repository: each must have a version that is wanted."""
    for name, wanted, version in resolved:
        if not _satisfies(wanted, version):
            message = f"can't get a valid version for dependency {name}: {version} is not {wanted}"
            raise ValueError(message)


def _satisfies(wanted: str, version: str) -> bool:
    given = json.dumps({"wanted": wanted, "version": version})
    with _Chart(archived(_COMPARING)) as chart:
        rendered = json.loads(chart.call("helm_render", given, '{"name":"compare"}'))
    return "true" in rendered.values()


def _check_installable(chart: _Chart, kube_version: str) -> None:
    """What ``helm template`` refuses although the templates would render."""
    metadata = chart.once("helm_chart_metadata")
    kind = metadata.get("type") or "application"
    if kind != "application":
        message = f"{kind} charts are not installable"
        raise ValueError(message)
    names = [each.get("name") for each in metadata.get("dependencies") or ()]
    if names:
        loaded = chart.once("helm_chart_dependencies") or ()
        have = {each.get("name") for each in loaded}
        missing = [name for name in names if name not in have]
        if missing:
            raise ValueError(MISSING + ", ".join(map(str, missing)))
    wanted = metadata.get("kubeVersion") or metadata.get("kube_version")
    if wanted and kube_version and not _satisfies(wanted, kube_version):
        message = (
            f"chart requires kubeVersion: {wanted} which is incompatible with Kubernetes"
            f" {kube_version}"
        )
        raise ValueError(message)


def _answer(
    chart: _Chart,
    wanted: dict[str, Any],
    request: dict[str, Any],
    given: str,
    whole: str | None = None,
) -> str:
    """An answer as :class:`hanbae.charts.pools.Answer` has it.

    Args:
        chart: The chart.
        wanted: The release.
        request: What else is wanted.
        given: The values files as one, as JSON.
        whole: The chart's defaults with those over them, where they are known already.
    """
    _check_installable(chart, wanted["kube_version"] or "")
    options: dict[str, Any] = {"name": wanted["release"], "namespace": wanted["namespace"]}
    if wanted["kube_version"]:
        options["kube_version"] = wanted["kube_version"]
    if wanted["api_versions"]:
        options["api_versions"] = wanted["api_versions"]
    # The library's render() takes neither the Kubernetes version nor API versions; its C call does.
    # It answers with JSON already, which goes on to the parent as it is.
    rendered = chart.call("helm_render", given, json.dumps(options))
    if whole is None:
        whole = chart.call("helm_chart_merge_values", given)
    # Only now: rendering has taken away the charts that the values disable, and their CRDs with them.
    crds = [(crd["filename"], crd["data"]) for crd in chart.once("helm_chart_crds") or ()]
    found = sorting.release(crds, json.loads(rendered), _parsed)
    documents = ",".join(f"[{json.dumps(name)},{content}]" for name, content in found.documents)
    parts = [f'"values":{whole or "{}"}', f'"documents":[{documents}]', f'"order":{found.order}']
    if request["texts"]:
        parts.append(f'"texts":{rendered}')
    if request["manifest"]:
        parts.append(f'"manifest":{json.dumps(found.manifest)}')
    return f"{{{','.join(parts)}}}"


_KNOWN: dict[str, str] = {}
"""Documents of the chart that is rendered: many are the same in each of its releases."""


def _parsed(text: str) -> str:
    """A document as JSON, by the YAML reader that Helm, Argo CD and Kubernetes have in common."""
    found = _KNOWN.get(text)
    if found is None:
        found = _KNOWN[text] = str(native().call_string("helm_values_from_yaml", text))
    return found


def _failure(error: Exception) -> str:
    return json.dumps({"error": f"{error}"})


def main() -> int:
    """Answer requests until there are none; an error that Helm names is an answer as well."""
    confine()
    with contextlib.suppress(Exception):  # a chart's answer says why it cannot be loaded
        native()  # now, while nobody waits yet
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
