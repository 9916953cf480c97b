"""``hanbae local`` with a real Docker and a real Compose, on images that are made here.

What cannot be had here, and so is not run: the images of Valkey and ClickHouse, and the official ones of PostgreSQL
and busybox, in whose place are images with the same programs.
"""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import docker_hosts, layouts

from hanbae.local import compose_file, secret_values
from hanbae.local.composition import Composition, SecretKey, Service
from hanbae.masking import Masked
from hanbae.sandbox import binaries, demo_repository

SIGNING = "0123456789abcdef0123456789abcdef-$HOME-\"'\\"
"""What services sign tokens with: characters that a file of variables may change."""
HOSTILE = [
    *("$", "${HOME}", "$$", "$(id)", "\\$x", "yes", "012", "a: b", "# no", "'", '"', "{}", "="),
    *("\\", "\\n", "\\'", 'x\\"', "end\\", "a\nb\n", "a\r\nb", " lead", "trail ", "\t"),
    *("한글", "🚢", "export X=1"),
]
MIGRATIONS = [f"identity-service-migrate-{name}-db" for name in ("identity", "auth", "legal")]


pytestmark = pytest.mark.timeout(600)


class Quiet:
    """The builder's progress, of which tests show nothing."""

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None: ...
    def finished(self, component: str, seconds: float, *, cached: bool) -> None: ...
    def note(self, text: Any) -> None: ...


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker_hosts.Host]:
    programs = binaries.obtain(progress=Quiet())
    shop = demo_repository.example()
    try:
        with docker_hosts.running(tmp_path_factory.mktemp("docker")) as daemon:
            daemon.load("postgres:18", docker_hosts.postgresql(programs))
            daemon.load("busybox:1.37-musl", docker_hosts.busybox(programs))
            for name in ("personal", "identity"):
                image = docker_hosts.service(name, shop, programs)
                daemon.load(f"localhost/shop-{name}:local", image)
            yield daemon
    except docker_hosts.NotHere as error:
        pytest.fail(f"Docker cannot run here, so `hanbae local` is not tested: {error}")


@pytest.fixture
def root(host: docker_hosts.Host, tmp_path: Path) -> Iterator[Path]:
    """The example without one of its services; what it has started is gone afterwards."""
    folder = tmp_path / "shop"
    shutil.copytree(demo_repository.example(), folder)
    shutil.rmtree(folder / "services/auth")
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    yield folder
    if (folder / "compose.yaml").exists():
        ended = host.hanbae(folder, "local", "down", "--volumes")
        assert ended.returncode == 0, ended.stderr


def test_the_scaffolded_dockerfile_makes_an_image_in_which_the_job_finds_what_it_calls(
    host: docker_hosts.Host, tmp_path: Path
) -> None:
    """Everything but the compiler is real: stages, what is copied from where to where, and who runs it."""
    layouts.begin(tmp_path, "one-cluster")
    policy = tmp_path / "hanbae.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("\nmigrations:\n", "\nmigrations:\n  runner: hanbae-migrate\n"))
    ended = host.hanbae(tmp_path, "new", "service", "auth")
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "go.mod").write_text("module shop\n")
    programs = binaries.obtain(progress=Quiet())
    runner = programs.path("hanbae-migrate")
    host.load("golang:1.27", docker_hosts.golang(programs, hanbae_migrate=runner, auth=runner))
    host.load("gcr.io/distroless/static-debian12:nonroot", docker_hosts.distroless())
    words = ("build", "--quiet", "-f", "services/auth/Dockerfile", "-t", "auth:built", ".")
    built = host.run(["docker", *words], folder=tmp_path, DOCKER_BUILDKIT="0")
    assert built.returncode == 0, built.stdout + built.stderr
    (image,) = json.loads(host.docker("image", "inspect", "auth:built"))
    assert (image["Config"]["User"], image["Config"]["Entrypoint"]) == (
        "65532:65532",
        ["/app/auth"],
    )
    job = (tmp_path / "services/auth/helm/templates/migration-job.yaml").read_text()
    assert "command: [hanbae-migrate]" in job
    call = ("run", "--rm", "--network", "none", "--entrypoint", "hanbae-migrate")
    version = host.docker(*call, "auth:built", "-version")
    assert version.startswith("hanbae-migrate, goose v3")
    folder = "/app/services/auth/migrations"
    assert f"- {folder}" in job.replace("{{ $.Values.service.name }}", "auth")
    files = host.run(
        ["sh", "-c", f"docker export $(docker create auth:built) | tar t {folder[1:]}"]
    )
    assert f"{folder[1:]}/00001_baseline.sql" in files.stdout.split(), files.stderr


def give_secrets(root: Path) -> None:
    """What a developer writes: the key that no manifest names."""
    escaped = SIGNING.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    folder = root / secret_values.STORE
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("personal", "identity"):
        with (folder / f"{name}-secrets.env").open("a") as file:
            file.write(f'JWT_SECRET="{escaped}"\n')


def containers(host: docker_hosts.Host) -> dict[str, dict[str, Any]]:
    """Name of a service of Compose → its container as Docker knows it."""
    ids = host.docker(
        "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.service"
    ).split()
    rows = json.loads(host.docker("inspect", *ids)) if ids else []
    return {row["Config"]["Labels"]["com.docker.compose.service"]: row for row in rows}


def ids(host: docker_hosts.Host) -> dict[str, str]:
    return {name: row["Id"] for name, row in containers(host).items()}


def test_up_brings_everything_in_order_and_keeps_secrets_to_itself(
    host: docker_hosts.Host, root: Path
) -> None:
    give_secrets(root)
    ended = host.hanbae(root, "local", "up", "--timeout", "120", "--output", "json")
    assert ended.returncode == 0, ended.stderr
    rows = {row["name"]: row for row in json.loads(ended.stdout)["services"]}
    assert rows["identity-service"]["health"] == rows["personal-service"]["health"] == "healthy"

    present = containers(host)
    moments = [
        (present[name]["State"]["StartedAt"], present[name]["State"]["FinishedAt"])
        for name in MIGRATIONS
    ]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(moments))
    assert moments[-1][1] < present["identity-service"]["State"]["StartedAt"]
    for database in ("identity_db", "auth_db", "legal_db", "personal_db"):
        query = "SELECT max(version_id) FROM goose_db_version"
        words = ["exec", "shop-postgresql-1", "psql", "-At", "-d", database, "-c", query]
        assert int(host.docker(*words)) > 0

    (address,) = rows["personal-service"]["addresses"]
    assert json.loads(host.reach(f"{address}/readyz")) == {"ready": True}
    variables = dict(entry.split("=", 1) for entry in present["personal-service"]["Config"]["Env"])
    assert variables["JWT_SECRET"] == SIGNING
    assert present["identity-service"]["HostConfig"]["Memory"] == 256 * 1024 * 1024
    assert present["identity-service"]["HostConfig"]["CapDrop"] == ["ALL"]

    values = secret_values.Store(root).read()
    plain = [value.unmask().decode() for value in values.values()]
    assert any(text.startswith("postgresql://") for text in plain)
    for shown in ((root / "compose.yaml").read_text(), ended.stdout, ended.stderr):
        assert not [text for text in plain if text in shown]
    for path in (root / ".hanbae").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    listed = ["git", "-C", str(root), "status", "--porcelain"]
    assert b" .hanbae/" not in subprocess.run(listed, capture_output=True, check=True).stdout

    before = ids(host)
    again = host.hanbae(root, "local", "up", "--timeout", "120")
    assert again.returncode == 0, again.stderr
    assert ids(host) == before

    status = host.hanbae(root, "local", "status", "--output", "json")
    assert status.returncode == 0, status.stderr
    assert not json.loads(status.stdout)["stale"]
    logs = host.hanbae(root, "local", "logs", "personal")
    assert "serving" in logs.stdout
    assert "identity-service" not in logs.stdout
    logs = host.hanbae(root, "local", "logs", "nope")
    assert logs.returncode == 2, logs.stdout
    assert "There is no service nope in services/*/helm." in logs.stderr

    assert host.hanbae(root, "local", "down").returncode == 0
    assert containers(host) == {}
    assert "shop_postgresql-data" in host.docker("volume", "ls", "--quiet")
    shutil.rmtree(root / ".hanbae/local/env")
    assert host.hanbae(root, "local", "down", "--volumes").returncode == 0
    assert "shop_postgresql-data" not in host.docker("volume", "ls", "--quiet")


def test_a_service_that_does_not_start_is_named_with_the_end_of_its_log(
    host: docker_hosts.Host, root: Path
) -> None:
    ended = host.hanbae(root, "local", "up", "personal", "--timeout", "60")
    assert ended.returncode == 1
    assert "JWT_SECRET must have at least 32 bytes" in ended.stderr
    assert "personal-service has ended with code 1" in ended.stderr
    assert "identity-service" not in containers(host)
    status = host.hanbae(root, "local", "status")
    assert status.returncode == 1
    assert "exited (1)" in status.stdout


def test_a_port_that_somebody_has_is_refused_before_anything_starts(
    host: docker_hosts.Host, root: Path
) -> None:
    listen = "import socket,time;s=socket.create_server(('127.0.0.1',8081));print(1,flush=True);time.sleep(300)"
    with subprocess.Popen(
        host.command([sys.executable, "-c", listen]), stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ended = host.hanbae(root, "local", "up")
        other.kill()
    assert ended.returncode == 5
    assert "The port 8081 of this machine, for personal-service, is taken" in ended.stderr
    assert "PERSONAL_SERVICE_PORT=PORT" in ended.stderr
    assert containers(host) == {}


def test_an_override_counts_builds_are_made_here_and_ctrl_c_leaves_what_runs(
    host: docker_hosts.Host, root: Path
) -> None:
    give_secrets(root)
    (root / "services/personal/Dockerfile").write_text(
        "FROM localhost/shop-personal:local\nLABEL built=here\n"
    )
    override = "services: {personal-service: {environment: {OWN: '1'}, healthcheck: {test: [CMD, /nowhere]}}}\n"
    (root / "compose.override.yaml").write_text(override)
    with subprocess.Popen(
        host.command([*docker_hosts.program(root), "local", "up", "personal", "--build"]),
        env=host.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        until = time.monotonic() + 100
        while "personal-service" not in {
            name for name, row in containers(host).items() if row["State"]["Running"]
        }:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130, error
    assert "keeps running until `hanbae local down`" in error
    row = containers(host)["personal-service"]
    assert row["State"]["Running"]
    assert "OWN=1" in row["Config"]["Env"]
    assert row["Config"]["Labels"]["built"] == "here"
    assert (root / "compose.override.yaml").read_text() == override

    compared = host.hanbae(root, "local", "check", "--output", "json")
    assert compared.returncode == 1
    differences = json.loads(compared.stdout)["differences"]
    assert {(entry["service"], entry["aspect"]) for entry in differences} == {
        ("personal-service", "probe")
    }


def test_hostile_values_reach_a_container_as_they_are(
    host: docker_hosts.Host, tmp_path: Path
) -> None:
    key = SecretKey("s", "K")
    names = {f"PLAIN_{number}": value for number, value in enumerate(HOSTILE)}
    secrets = {f"SECRET_{number}": (value, key) for number, value in enumerate(HOSTILE)}
    service = Service(
        name="shown",
        role="job",
        image="busybox:1.37-musl",
        entrypoint=("/bin/busybox", "cat", "/proc/self/environ"),
        command=(),
        environment=names,
        secrets=secrets,
    )
    composition = Composition(name="hostile", environment="dev", services=(service,))
    (tmp_path / "compose.yaml").write_text(compose_file.text(composition, "en"))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    secret_values.Store(tmp_path).write(composition, {key: Masked(b"end$1'")})
    ended = host.run(["docker", "compose", "run", "--rm", "-T", "shown"], folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    variables = dict(entry.split("=", 1) for entry in ended.stdout.split("\0") if "=" in entry)
    for number, value in enumerate(HOSTILE):
        assert variables[f"PLAIN_{number}"] == value
        assert variables[f"SECRET_{number}"] == f"{value}end$1'"


def test_a_docker_that_does_not_answer_is_said(host: docker_hosts.Host, root: Path) -> None:
    ended = host.hanbae(root, "local", "up", DOCKER_HOST="unix:///nowhere")
    assert ended.returncode == 4
    assert "Docker does not answer" in ended.stderr
    assert not (root / "compose.yaml").exists()
    ended = host.hanbae(root, "local", "up", DOCKER_CONFIG="/nowhere")
    assert ended.returncode == 4
    assert "docker-compose-plugin" in ended.stderr
