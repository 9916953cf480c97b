"""The sandbox itself, on this machine's own kernel: what it promises when it is up, dies, and is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support import cluster_objects, polling

from hanbae import errors, masking, wording
from hanbae.sandbox import (
    addons,
    folders,
    identities,
    namespaces,
    running,
    statuses,
    system_images,
)

NAME = "here"


class Recording:
    """Progress that remembers what had to be done."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.notes: list[str] = []

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None: ...

    def finished(self, component: str, seconds: float, *, cached: bool) -> None:
        if not cached:
            self.built.append(component)

    def note(self, text: wording.Text) -> None:
        self.notes.append(text.id)


class Interrupting(Recording):
    """Ctrl-C as soon as a component has come up."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def finished(self, component: str, seconds: float, *, cached: bool) -> None:
        if component == self._component:
            raise KeyboardInterrupt


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state home of its own: the user's sandboxes are none of these tests' business."""
    home = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        yield home
        running.down(NAME)


@pytest.fixture
def sandbox() -> running.Sandbox:
    return running.up(NAME)


def living() -> namespaces.Namespaces:
    return namespaces.Namespaces(folders.of(NAME))


def unready() -> list[str]:
    listed = statuses.of(NAME).components
    assert listed
    return [
        f"{component.name}: {component.detail}"
        for component in listed
        if component.state != "ready"
    ]


def assert_ready() -> None:
    """Everything is; on a busy machine a readiness probe may fail for a moment meanwhile."""
    polling.until(lambda: not unready(), pause=0.5, state=lambda: "; ".join(unready()))


def unready_pods(sandbox: running.Sandbox, since: float) -> list[str]:
    """The sandbox's own pods of which a container is not ready, or began before a time, as the API server has them now.

    `hanbae` itself is not asked: what deceives an ``up`` would deceive its status as well.
    """
    names = []
    for namespace in ("kube-system", addons.DATA):
        for pod in cluster_objects.select(sandbox, "pod", namespace):
            for container in pod["status"].get("containerStatuses", [{}]):
                began = container.get("state", {}).get("running", {}).get("startedAt")
                is_new = began and datetime.fromisoformat(began).timestamp() >= int(since)
                if not (is_new and container["ready"]):
                    names.append(f"{namespace}/{pod['metadata']['name']}: {container}")
    return names


def inside(namespace_pid: int) -> dict[int, int]:
    """Process id inside → on the machine, of every process of the sandbox with this process 1."""
    own = Path(f"/proc/{namespace_pid}/ns/pid").readlink()
    pids = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if (process / "ns" / "pid").readlink() == own:
                    status = (process / "status").read_text()
                    pids[int(status.partition("NSpid:")[2].split("\n")[0].split()[-1])] = int(
                        process.name
                    )
            except OSError:
                continue  # it has ended
    return pids


def kill(component: str, number: int) -> None:
    process = living().processes()[component]
    os.kill(inside(living().pid)[process.pid], number)


def test_a_second_up_does_nothing(sandbox: running.Sandbox) -> None:
    before = sandbox.site.namespaces.processes()
    progress = Recording()
    running.up(NAME, progress=progress)
    assert progress.built == []
    assert sandbox.site.namespaces.processes() == before
    assert_ready()


def test_the_shells_variables_make_every_tool_work(sandbox: running.Sandbox) -> None:
    script = f"""
    set -eu
    eval "$({sys.executable} -m hanbae sandbox env --name {NAME})"
    kubectl get nodes --output name
    argocd proj list --output name
    kubeseal --fetch-cert | head -1
    psql --no-password --tuples-only --command 'SELECT current_user'
    helm list --all-namespaces
    goose --version
    """
    ended = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=polling.PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    assert f"node/{sandbox.site.identity.host}" in ended.stdout
    assert "BEGIN CERTIFICATE" in ended.stdout
    assert " postgres\n" in ended.stdout


def test_no_password_can_be_read_from_a_process(sandbox: running.Sandbox) -> None:
    kept = sandbox.site.passwords
    secrets = [
        secret.unmask()
        for secret in (kept.registry, kept.postgres, kept.argocd, kept.argocd_signing)
    ]
    for process in inside(living().pid).values():
        for file in ("cmdline", "environ"):
            try:
                content = Path(f"/proc/{process}/{file}").read_bytes()
            except OSError:
                continue  # it has ended
            assert not any(secret in content for secret in secrets), (process, file)


def test_a_restricted_pod_finds_postgresql_by_name_and_only_the_owner_may_connect(
    sandbox: running.Sandbox,
) -> None:
    password, other = masking.Masked(b"owners-password"), masking.Masked(b"others-password")
    sandbox.databases.create("shop_db", "shop", masking.Masked(b"an-older-password"))
    sandbox.databases.create("shop_db", "shop", password)
    sandbox.databases.create("other_db", "other", other)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(
            host=sandbox.postgres.host,
            user="other",
            password=other.unmask().decode(),
            dbname="shop_db",
        )
    url = f"postgresql://shop:owners-password@{sandbox.postgres.service}/shop_db"
    nobody = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "psql",
        "image": system_images.reference(system_images.POSTGRESQL, sandbox.binaries),
        "command": [
            "psql",
            url,
            "--tuples-only",
            "--command",
            "SELECT 'reached as ' || current_user",
        ],
        "securityContext": nobody,
    }
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    items: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "strict", "labels": enforce},
        },
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "reach", "namespace": "strict"},
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
            },
        },
    ]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    sandbox.kubectl(["apply", "-f", "-"], stdin=json.dumps(document).encode())
    wait = ["wait", "--namespace=strict", "--for=condition=Complete", "job/reach", "--timeout=300s"]
    sandbox.kubectl(wait)
    log = sandbox.kubectl(["logs", "--namespace=strict", "job/reach"])
    assert log.strip() == b"reached as shop"


@pytest.mark.parametrize("component", ["etcd", "containerd", "argocd-server", "redis"])
def test_a_component_that_was_killed_is_brought_back(
    sandbox: running.Sandbox, component: str
) -> None:
    kill(component, signal.SIGKILL)
    progress = Recording()
    running.up(NAME, progress=progress)
    assert component in progress.built
    assert_ready()


@pytest.mark.parametrize("component", ["kube-apiserver", "containerd"])
def test_a_component_that_hangs_is_replaced(sandbox: running.Sandbox, component: str) -> None:
    before = sandbox.site.namespaces.processes()[component].pid
    kill(component, signal.SIGSTOP)
    running.up(NAME)
    assert sandbox.site.namespaces.processes()[component].pid != before
    assert_ready()


def test_what_asks_a_new_api_server_does_not_wait_out_its_back_off(
    sandbox: running.Sandbox,
) -> None:
    before = sandbox.site.namespaces.processes()
    kill("kube-apiserver", signal.SIGKILL)
    with pytest.raises(KeyboardInterrupt):
        running.up(NAME, progress=Interrupting("kube-apiserver"))
    running.up(NAME)
    after = sandbox.site.namespaces.processes()
    begun = {name for name, process in after.items() if process.pid != before[name].pid}
    asking = {"kube-controller-manager", "kube-scheduler", "kube-proxy"}
    assert begun == {"kube-apiserver", *asking}
    assert_ready()


def test_a_deleted_service_of_the_sandboxes_own_is_mended(sandbox: running.Sandbox) -> None:
    sandbox.kubectl(["delete", "service", "--namespace", addons.DATA, addons.POSTGRESQL])
    running.up(NAME)
    service = sandbox.kubectl(["get", "service", "--namespace", addons.DATA, "-o", "name"])
    assert f"service/{addons.POSTGRESQL}" in service.decode().split()


def test_an_upgrade_reaches_argo_cds_kinds_and_the_images_and_keeps_the_data(
    sandbox: running.Sandbox,
) -> None:
    """As a sandbox is met that another hanbae has made: its kinds and its images are of other programs."""
    words = ("customresourcedefinition", "applications.argoproj.io")
    folders.write(sandbox.site.folder.root / "argocd-kinds", "of another release")
    former = '[{"op": "remove", "path": "/spec/names/shortNames"}]'
    sandbox.kubectl(["patch", *words, "--type=json", "--patch", former])
    with sandbox.postgres.connect() as connection:
        connection.execute("CREATE TABLE before AS SELECT 1 AS number")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system_images, "_digest", lambda *_: "0" * 12)
        running.up(NAME)
        image = image_of(sandbox, "statefulset", addons.DATA, addons.POSTGRESQL)
        assert image.endswith("0" * 12)
    running.up(NAME)
    assert_ready()
    assert b"app" in sandbox.kubectl(["get", *words, "-o", "jsonpath={.spec.names.shortNames}"])
    for kind, namespace, name, image in (
        ("statefulset", addons.DATA, addons.POSTGRESQL, system_images.POSTGRESQL),
        ("deployment", "kube-system", "coredns", system_images.COREDNS),
        ("deployment", "kube-system", addons.SEALED_SECRETS, system_images.SEALED_SECRETS),
    ):
        expected = system_images.reference(image, sandbox.binaries)
        assert expected == image_of(sandbox, kind, namespace, name)
    with sandbox.postgres.connect() as connection:
        assert connection.execute("SELECT number FROM before").fetchone() == (1,)


def image_of(sandbox: running.Sandbox, kind: str, namespace: str, name: str) -> str:
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return sandbox.kubectl(["get", kind, name, "-n", namespace, "-o", path]).decode()


def test_a_sandbox_whose_process_1_was_killed_comes_back_with_its_data(
    sandbox: running.Sandbox,
) -> None:
    sandbox.kubectl(["create", "configmap", "kept"])
    with sandbox.postgres.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    killed = time.time()
    os.kill(living().pid, signal.SIGKILL)
    assert not living().settle()
    assert statuses.of(NAME).state == "stopped"
    with pytest.raises(errors.Unreachable):
        running.attach(NAME)
    progress = Recording()
    back = running.up(NAME, progress=progress)
    # Looked at once: what `up` has not waited for is ready a little later anyway.
    assert not unready_pods(back, killed)
    assert progress.notes == ["sandbox.repairing"]
    assert back.kubectl(["get", "configmap", "kept", "-o", "name"]) == b"configmap/kept\n"
    with back.postgres.connect() as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_sandbox_from_before_a_reboot_is_made_anew(sandbox: running.Sandbox) -> None:
    sandbox.kubectl(["create", "configmap", "forgotten"])
    folder = sandbox.site.folder
    os.kill(living().pid, signal.SIGKILL)
    older = json.loads(folder.identity.read_bytes()) | {"boot": "another"}
    folders.write(folder.identity, json.dumps(older))
    progress = Recording()
    back = running.up(NAME, progress=progress)
    assert progress.notes == ["sandbox.rebuilding"]
    kept = json.loads(back.kubectl(["get", "configmap", "-o", "json"]))["items"]
    assert "forgotten" not in {configmap["metadata"]["name"] for configmap in kept}
    identity = identities.load(folder)
    assert identity is not None
    assert identity.boot == identities.boot()


def test_a_component_that_cannot_start_is_named_with_its_words_and_its_log(
    sandbox: running.Sandbox,
) -> None:
    root = sandbox.site.folder.root
    os.kill(living().pid, signal.SIGKILL)
    (root / "etcd" / "member" / "snap" / "db").write_bytes(b"not a database" * 1000)
    with pytest.raises(errors.Failed) as caught:
        running.up(NAME)
    facts = caught.value.text.facts
    assert facts["component"] == "etcd"
    assert facts["lines"]
    assert facts["log"] == str(root / "logs" / "etcd.log")
    assert running.down(NAME, keep_logs=True)
    assert [path.name for path in root.iterdir()] == ["logs"]


def killed_up(moment: str, *, since: float = 0.0) -> Path:
    """An ``up`` that was killed as soon as a file was written after a time; returns the sandbox's folder."""
    root = folders.of(NAME).root

    def is_written() -> bool:
        try:
            return (root / moment).stat().st_mtime >= since
        except FileNotFoundError:
            return False

    def is_reached() -> bool:
        assert is_written() or starter.poll() is None, "it has ended before"
        return is_written()

    command = [sys.executable, "-m", "hanbae", "sandbox", "up", "--name", NAME]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as starter:
        try:
            polling.until(is_reached, pause=0.005)
        finally:
            starter.kill()
    return root


MOMENTS = ("control", "inside.json", "logs/etcd.log", "logs/kubelet.log")
"""What an ``up`` writes, in its order."""


def test_an_up_that_was_killed_again_and_again_can_be_gone_on_with() -> None:
    # Each goes on from where the one before was killed, beside the logs that the test above has kept.
    begun = time.time()
    for moment in MOMENTS:
        killed_up(moment, since=begun)
    running.up(NAME)
    assert_ready()


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_up_that_was_killed_can_be_taken_down(moment: str) -> None:
    running.down(NAME)
    root = killed_up(moment)
    assert running.down(NAME)
    assert not root.exists()
    link = identities.derive(root, ()).link
    assert not Path("/sys/class/net", link).exists()
