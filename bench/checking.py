"""``hanbae check`` and ``hanbae render`` against a loop of ``helm template | kubeconform``.

The peer is measured over a sample of releases, spread over the repository, and scaled to all of them: the whole loop
takes minutes, and every release of it costs about the same.
kubeconform has its schemas on the disk, made from Kubernetes' own OpenAPI; kinds that it has none for (sealed secrets)
are passed over.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import generating
from bench.rows import Row
from tests.support import peers

from hanbae.sandbox import building, golang, pins

SERVICES, MANY = 200, 2_000
SAMPLE = 30
RUNS = 3
ENVIRONMENTS = {"dev": "dev", "staging": "staging", "production": "prod"}
HANBAE = str(Path(sys.executable).with_name("hanbae"))


@contextlib.contextmanager
def _repository(services: int, *, faulty: bool = False) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hanbae-bench-") as folder:
        root = Path(folder) / "repository"
        generating.repository(root, services, faulty=faulty)
        yield root


def _run(root: Path, cache: Path, *words: str) -> tuple[float, float]:
    """Seconds until all of the report has come out of a pipe, and the resident MiB of the largest process."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [HANBAE, *words], cwd=root, env=environment, stdout=subprocess.PIPE, stderr=errors
        )
        while process.stdout and process.stdout.read(64 * 1024):
            pass
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode not in {0, 1}:
            errors.seek(0)
            raise SystemExit(errors.read().decode())
    return seconds, usage.ru_maxrss / 1024


def _cold(root: Path, command: str) -> tuple[float, float, Path]:
    """Medians of runs that know nothing, and the cache of the last one."""
    runs = []
    for number in range(RUNS):
        cache = root.parent / f"cache-{command}-{number}"
        cache.mkdir()
        runs.append(_run(root, cache, command))
    return statistics.median(a for a, _ in runs), max(b for _, b in runs), cache


def _again(root: Path, cache: Path, *words: str) -> float:
    _run(root, cache, *words)
    return statistics.median(_run(root, cache, *words)[0] for _ in range(5))


def _changed(root: Path, cache: Path) -> float:
    """One service has other values than before, each time."""
    path = root / "services/service0007/helm/values-dev.yaml"
    seconds = []
    for number in range(5):
        path.write_text(path.read_text() + f"# {number}\n")
        seconds.append(_run(root, cache, "check")[0])
    return statistics.median(seconds)


def _loop(root: Path, schemas: Path, services: int, sample: int) -> float:
    """Seconds of the peer for all releases, from a sample of them."""
    helm, conform = peers.program(peers.HELM), peers.program(peers.KUBECONFORM)
    where = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    checking = [conform, "-strict", "-ignore-missing-schemas", "-schema-location", where]
    step = max(services * len(ENVIRONMENTS) // sample, 1)
    releases = [(n, e) for n in range(services) for e in ENVIRONMENTS][::step]
    began = time.perf_counter()
    for number, environment in releases:
        chart = root / f"services/service{number:04}/helm"
        values = chart / f"values-{ENVIRONMENTS[environment]}.yaml"
        templating = [
            helm, "template", f"service{number:04}-service", chart, "--include-crds", "--values", values,
            "--namespace", f"services-{environment}", "--kube-version", pins.KUBERNETES,
        ]  # fmt: skip
        with subprocess.Popen(templating, stdout=subprocess.PIPE) as rendered:
            ended = subprocess.run(
                checking, stdin=rendered.stdout, capture_output=True, check=False, text=True
            )
        if ended.returncode or rendered.returncode:
            raise SystemExit(f"{chart}: {ended.stdout}{ended.stderr}")
    return (time.perf_counter() - began) / len(releases) * services * len(ENVIRONMENTS)


def _schemas(into: Path) -> None:
    """One file for each kind of Kubernetes, with all that it refers to."""
    go = golang.find()
    listed = subprocess.run(
        [go.path, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"],
        cwd=building.MODULES / "kubernetes",
        env=golang.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    api = Path(listed.stdout.strip()) / "api/openapi-spec/swagger.json"
    definitions: dict[str, Any] = json.loads(api.read_text())["definitions"]
    for name, schema in definitions.items():
        if schema.get("format") == "int-or-string":
            definitions[name] = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = f"{kind['group'].split('.')[0]}-" if kind["group"] else ""
            file = into / f"{kind['kind'].lower()}-{group}{kind['version']}.json"
            needed = {part: definitions[part] for part in _closure(definitions, name)}
            bundle = {"$ref": f"#/definitions/{name}", "definitions": needed}
            file.write_text(json.dumps(bundle))


def _closure(definitions: dict[str, Any], name: str) -> set[str]:
    closure, waiting = set(), [name]
    while waiting:
        definition = waiting.pop()
        if definition not in closure:
            closure.add(definition)
            text = json.dumps(definitions[definition])
            waiting += re.findall(r'"#/definitions/([^"]+)"', text)
    return closure


def check() -> list[Row]:
    """Both commands over 200 services in three environments, and a check over 2,000."""
    size = f"{SERVICES} services x {len(ENVIRONMENTS)}"
    rows = []
    with _repository(SERVICES) as root:
        schemas = root.parent / "schemas"
        schemas.mkdir()
        _schemas(schemas)
        _loop(root, schemas, SERVICES, 2)  # builds the peers, and reads them from the disk
        before = _loop(root, schemas, SERVICES, SAMPLE // 2)
        cold, memory, cache = _cold(root, "check")
        again = _again(root, cache, "check")
        changed = _changed(root, cache)
        peer = statistics.mean([before, _loop(root, schemas, SERVICES, SAMPLE // 2)])
        loop = f"helm template \\| kubeconform ({SAMPLE} releases, scaled)"
        rows += [
            Row(f"check {size}, cold \\| {loop}", cold, peer, "30 x", RUNS),
            Row(f"check {size}, unchanged \\| {loop}", again, peer, "150 x", 5),
            Row(f"check {size}, one service changed", changed, None, "100 ms + start-up", 5),
            Row(f"check {size}, largest process", memory, None, "200 MiB", RUNS, "MiB"),
        ]
        with _repository(SERVICES, faulty=True) as faulty:
            rows += _faulty(faulty, schemas)
    with _repository(MANY) as root:
        many, memory = _run(root, root.parent, "check")
        rows += [
            Row(f"check {MANY} services x {len(ENVIRONMENTS)}, cold", many, None, "10 x 200 services", 1),
            Row(f"check {MANY} services x {len(ENVIRONMENTS)}, largest process", memory, None, "200 MiB", 1, "MiB"),
        ]  # fmt: skip
    return rows


def _faulty(root: Path, schemas: Path) -> list[Row]:
    """A check of the same services with faults in each, which are all reported."""
    before = _loop(root, schemas, SERVICES, SAMPLE // 2)
    cold, _, cache = _cold(root, "check")
    text = _again(root, cache, "check")
    document = _again(root, cache, "check", "--output", "json")
    peer = statistics.mean([before, _loop(root, schemas, SERVICES, SAMPLE // 2)])
    size = f"{SERVICES} services x {len(ENVIRONMENTS)}, {_count(root, cache)} findings"
    return [
        Row(f"check {size}, cold", cold, peer, "30 x", RUNS),
        Row(f"check {size}, unchanged", text, peer, "150 x", 5),
        Row(f"check {size}, unchanged, as JSON", document, peer, "150 x", 5),
    ]


def _count(root: Path, cache: Path) -> int:
    """How many findings a repository has."""
    report = subprocess.run(
        [HANBAE, "check", "--output", "json"],
        cwd=root,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return len(json.loads(report.stdout)["findings"])


def render() -> list[Row]:
    """The same, rendered and printed."""
    size = f"{SERVICES} services x {len(ENVIRONMENTS)}"
    with _repository(SERVICES) as root:
        schemas = root.parent / "schemas"
        schemas.mkdir()
        _schemas(schemas)
        _loop(root, schemas, SERVICES, 2)
        peer = _loop(root, schemas, SERVICES, SAMPLE)
        cold, memory, cache = _cold(root, "render")
        again = _again(root, cache, "render")
    loop = f"helm template \\| kubeconform ({SAMPLE} releases, scaled)"
    return [
        Row(f"render {size}, cold \\| {loop}", cold, peer, "30 x", RUNS),
        Row(f"render {size}, unchanged \\| {loop}", again, peer, "150 x", 5),
        Row(f"render {size}, largest process", memory, None, "200 MiB", RUNS, "MiB"),
    ]
