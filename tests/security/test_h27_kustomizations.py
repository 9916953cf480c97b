"""A kustomization of a branch must not make a build fetch, run or read anything that is not in the repository.

Kustomize reads more than it documents: keys in any case, what ``<<`` brings, ``!!binary`` for text, URLs wherever a
file may be named. Each of these once reached the build unseen.
"""

from __future__ import annotations

import asyncio
import base64
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import chartless, trees

from hanbae import errors
from hanbae.planning import kustomize, manifests
from hanbae.policy import loading
from hanbae.repository import keeping, services
from hanbae.repository import trees as repository_trees

OVERLAY = "apps/web/overlays/dev/kustomization.yaml"
SECRET = "apiVersion: v1\nmetadata: {name: s}\nstringData: {KEY: c4n4ry}\n"
OBJECT = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fetched}\n"


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, which no proxy is asked for, and the paths that were asked of it."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(OBJECT)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/x.yaml", requests
        running.shutdown()


def built(text: str, others: dict[str, str] | None = None) -> manifests.Output:
    files = {**chartless.FILES, OVERLAY: chartless.HEAD + text, **(others or {})}
    tree = trees.MemoryTree({path: content.encode() for path, content in files.items()})
    policy = services.located(loading.parse(chartless.POLICY.encode(), "hanbae.yaml")[0], tree)
    return asyncio.run(manifests.make(policy, tree, "web", "dev"))


TEXTS = {
    "a resource": "resources: ['{url}']\n",
    "in other letters": "Resources: ['{url}']\n",
    "merged": "<<: {{resources: ['{url}']}}\n",
    "merged over another": "resources: [../../base]\n<<: {{resources: ['{url}']}}\n",
    "twice": "resources: ['{url}']\nresources: [../../base]\n",
    "binary": "resources: [!!binary {binary}]\n",
    "a patch in other words": "resources: [../../base]\npatchesStrategicMerge: ['{url}?a: b']\n",
    "a patch of several lines": 'resources: [../../base]\npatchesStrategicMerge: ["{url}\\n"]\n',
    "a patch": "resources: [../../base]\npatches: [{{path: '{url}', target: {{kind: Job}}}}]\n",
    "in a built-in transformer": "resources: [../../base]\ntransformers:\n  - |\n"
    "    apiVersion: builtin\n    kind: PatchTransformer\n    metadata: {{name: a}}\n"
    "    path: '{url}'\n    target: {{kind: Job}}\n",
    "in a built-in generator": "resources: [../../base]\ngenerators:\n  - |\n"
    "    apiVersion: builtin\n    kind: ConfigMapGenerator\n    metadata: {{name: a}}\n"
    "    name: a\n    files: ['{url}']\n",
    "a generated map": "configMapGenerator: [{{name: a, FILES: ['k={url}']}}]\n",
    "a schema": "resources: [../../base]\nopenapi: {{path: '{url}'}}\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nothing_is_fetched(text: str, server: tuple[str, list[str]]) -> None:
    url, requests = server
    binary = base64.b64encode(url.encode()).decode()
    with pytest.raises(errors.FileFault) as caught:
        built(text.format(url=url, binary=binary))
    assert caught.value.text.id in {
        "manifests.refused-remote",
        "manifests.refused-plugin",
        "manifests.not-built",
    }
    assert requests == []


def test_the_server_would_be_asked(server: tuple[str, list[str]], tmp_path: Path) -> None:
    """What the others stand against: the same build without a look at it before."""
    url, requests = server
    text = TEXTS["in a built-in transformer"].format(url=url).replace("../../base", "a.yaml")
    files = {"o/kustomization.yaml": (chartless.HEAD + text).encode(), "o/a.yaml": OBJECT}
    asyncio.run(kustomize.output(kustomize.program(), files, "o"))
    assert requests == ["/x.yaml"]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("secretGenerator: [{name: a, literals: [KEY=c4n4ry]}]\n", ""),
        ("resources: [s.yaml]\n", SECRET + "kind: Secret\n"),
        ("resources: [s.yaml]\n", SECRET + "kind: 'Secret' # ours\n"),
        (
            "resources: [s.yaml]\n",
            '{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "stringData": {"K": "c4n4ry"}}',
        ),
    ],
)
def test_no_secret_that_is_built_is_kept_for_later_runs(
    text: str, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kustomize, "_OUTPUTS", {})
    kept = keeping.opened()
    for resources in (text, "resources: [a.yaml]\n"):
        files = {"o/kustomization.yaml": (chartless.HEAD + resources).encode(), "o/a.yaml": OBJECT}
        if resources == text:
            files["o/s.yaml"] = secret.encode()
        built, error = asyncio.run(kustomize.output(kustomize.program(), files, "o", kept))
        assert error == ""
        assert (b"c4n4ry" in built or b"YzRuNHJ5" in built) is (resources == text)
    entries = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"fetched" in entry for entry in entries), "what has no Secret is kept"
    assert not any(b"c4n4ry" in entry or b"YzRuNHJ5" in entry for entry in entries)


@pytest.mark.parametrize(
    "text",
    [
        "resources: [/etc/hostname]\n",
        "resources: [../../../../../../etc/hostname]\n",
        "configMapGenerator: [{name: a, files: [/etc/passwd]}]\n",
        "configMapGenerator: [{name: a, files: [../../../../../../../etc/passwd]}]\n",
        "secretGenerator: [{name: a, envs: [/etc/environment]}]\n",
    ],
)
def test_nothing_outside_of_the_repository_is_read(text: str) -> None:
    with pytest.raises(errors.FileFault) as caught:
        built(text)
    assert caught.value.text.id == "manifests.refused-outside"


@pytest.mark.parametrize(
    "text",
    [
        "helmCharts: [{name: a, repo: 'oci://example.com/a', releaseName: a}]\n",
        "HelmCharts: [{name: a, releaseName: a}]\n",
        "helmChartInflationGenerator: [{chartName: a}]\n",
        "generators: [run.yaml]\n",
        "transformers: [run.yaml]\n",
        "Validators: [run.yaml]\n",
    ],
)
def test_no_program_is_run(text: str) -> None:
    run = (
        "apiVersion: v1\nkind: Run\nmetadata:\n  name: run\n  annotations:\n"
        "    config.kubernetes.io/function: 'exec: {path: ./run.sh}'\n"
    )
    with pytest.raises(errors.FileFault) as caught:
        built(text, {"apps/web/overlays/dev/run.yaml": run})
    assert caught.value.text.id == "manifests.refused-plugin"


def test_a_link_out_of_the_clone_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_bytes(OBJECT)
    root = tmp_path / "repository"
    chartless.write(root)
    (root / OVERLAY).write_text(f"{chartless.HEAD}resources: [a.yaml]\n")
    (root / "apps/web/overlays/dev/a.yaml").symlink_to(secret)
    (root / "manifests/dev/link.yaml").symlink_to(secret)
    tree = repository_trees.WorkingTree(root)
    policy = services.located(loading.load(root / "hanbae.yaml").policy, tree)
    for service in ("web", "plain"):
        with pytest.raises(errors.FileFault):
            asyncio.run(manifests.make(policy, tree, service, "dev"))
