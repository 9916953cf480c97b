"""Every command of both READMEs runs, word for word, from a newcomer's empty repository to a proven deployment.

What cannot be taken literally is in three tables: `SUBSTITUTIONS` (addresses that are examples by nature), `ANSWERS`
(what a person types where a command asks), `ELSEWHERE` (commands that other tests run).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from tests.support import scenes, terminals

from hanbae import masking
from hanbae.images import credentials, references, registry
from hanbae.sandbox import demo_repository, running, service_images

ROOT = Path(__file__).parent.parent.parent
#: Beside the sandbox of the other tests, and like it another one for each of two runs on one machine.
NAME = f"{os.environ.get('HANBAE_TEST_SANDBOX', 'e2e')}-readme"

#: Command → the test that runs it.
ELSEWHERE = {
    "./dev demo": "tests/e2e/test_demo_stopped.py",
    "./dev demo --keep": "tests/support/demos.py",
    "./dev test": ".ci/run",
    "./dev test unit": ".ci/run",
    "pip install .": "tests/packaging/test_wheel.py",
}
#: Command → what proves that the test named above runs it.
EVIDENCE = {
    "./dev demo": 'DEMO = ["demo"',
    "./dev demo --keep": '"demo", "--keep"',
    "./dev test": "\n./dev test\n",
    "./dev test unit": "\n./dev test\n",
    "pip install .": '["pip", "install", "."]',
}


def blocks(path: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


BLOCKS = blocks(ROOT / "README.md")
OTHERS = [block for block in BLOCKS if not all(line in ELSEWHERE for line in block.splitlines())]
LOOKING_AROUND, INIT, CLUSTER, CONTENT, DEPLOY = range(5)


@dataclass(frozen=True)
class Newcomer:
    """A person with a home of their own, an empty repository, and a cluster that is not ours to explain."""

    sandbox: running.Sandbox
    home: Path
    remote: Path
    answers: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def clone(self) -> Path:
        return self.home / "shop"

    @property
    def substitutions(self) -> dict[str, str]:
        """Addresses of example.com, and what stands for them here."""
        return {
            "https://git.example.com/shop.git": self.remote.as_uri(),
            "registry.example.com/shop": f"{self.sandbox.registry.address}/shop",
        }

    def environment(self) -> dict[str, str]:
        """A shell's variables; the sandbox's registry speaks plain HTTP, which is the person's to allow."""
        ours = Path(sys.executable).parent
        return {
            **scenes.clean_environment(),
            "PATH": f"{ours}:{self.sandbox.environment()['PATH']}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "KUBECONFIG": str(self.sandbox.kubeconfig),
            "HANBAE_IMAGE_SET_INSECURE": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Newcomer",
            "GIT_AUTHOR_EMAIL": "newcomer@example.com",
            "GIT_COMMITTER_NAME": "Newcomer",
            "GIT_COMMITTER_EMAIL": "newcomer@example.com",
            "TERM": "xterm-256color",
        }

    def types(self, block: int) -> str:
        """Run a block of the README at a terminal; its lines, each of which must succeed."""
        script = OTHERS[block]
        for example, here in self.substitutions.items():
            script = script.replace(example, here)
        shown = terminals.run(
            ["sh", "-e", "-c", script],
            directory=self.clone,
            environment=self.environment(),
            answers=self.answers,
            deadline_s=300,
        )
        assert shown.code == 0, f"{script}\n{shown.text}"
        for answer in self.answers.values():
            assert answer not in shown.text, "a secret was shown"
        return shown.text


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    try:
        sandbox = running.up(NAME)
        home = tmp_path_factory.mktemp("home")
        remote = sandbox.git_folder / "newcomer.git"
        demo_repository.git(home, "init", "--quiet", "--bare", str(remote))
        demo_repository.git(home, "clone", "--quiet", str(remote), str(home / "shop"))
        person = Newcomer(sandbox, home, remote)
        log_in(person)
        make_database(person)
        yield person
    finally:
        running.down(NAME)


def log_in(newcomer: Newcomer) -> None:
    """What `docker login` leaves."""
    where = newcomer.sandbox.registry
    pair = f"{where.username}:".encode() + where.password.unmask()
    file = newcomer.home / ".docker" / "config.json"
    file.parent.mkdir(mode=0o700)
    auths = {where.address: {"auth": base64.b64encode(pair).decode()}}
    file.write_text(json.dumps({"auths": auths}))


def make_database(newcomer: Newcomer) -> None:
    """What the database team has made, and the person types at the prompts."""
    server, password = newcomer.sandbox.postgres, secrets.token_hex(24)
    newcomer.sandbox.databases.create("shop", "shop", masking.Masked(password.encode()))
    url = f"postgresql://shop:{password}@{server.service}:{server.port}/shop?sslmode=disable"
    newcomer.answers[r"\bDATABASE_URL\b.*: ?$"] = url
    newcomer.answers[r"\bJWT_SECRET\b.*: ?$"] = secrets.token_hex(32)


def write_service_and_push_image(newcomer: Newcomer) -> None:
    """Between the blocks: the team's own code and migrations, and its pipeline; here those of the example."""
    migrations = newcomer.clone / "services" / "auth" / "migrations"
    theirs = demo_repository.example() / "services" / "auth" / "migrations"
    shutil.rmtree(migrations)
    shutil.copytree(theirs, migrations)
    image = service_images.image(
        "auth",
        service_images.program(demo_repository.example() / "app"),
        newcomer.sandbox.binaries.path("goose"),
        service_images.migrations(migrations),
        environment={"SERVICE": "auth"},
    )
    where = newcomer.sandbox.registry
    login = credentials.Credentials(where.address, where.username, where.password)
    reference = references.parse(f"{where.address}/shop/auth:1.0.0")
    asyncio.run(registry.push(image, reference, login, insecure=True))


def test_both_languages_have_the_same_commands() -> None:
    assert blocks(ROOT / "README.ko.md") == BLOCKS


def test_every_command_is_run_here_or_by_a_test_that_is_named() -> None:
    lines = [line for block in BLOCKS if block not in OTHERS for line in block.splitlines()]
    lines += [line for line in OTHERS[LOOKING_AROUND].splitlines() if line.startswith("./dev")]
    assert sorted(lines) == sorted(ELSEWHERE)
    assert len(OTHERS) == DEPLOY + 1
    for command, name in ELSEWHERE.items():
        assert EVIDENCE[command] in (ROOT / name).read_text(), command


def test_looking_around_after_the_demo(demo: Any) -> None:
    """On the demo that all tests share, which `down` must not end; that one is run last in this file."""
    first, *lines, last = OTHERS[LOOKING_AROUND].splitlines()
    assert first == "./dev demo --keep"
    assert last == ".venv/bin/hanbae sandbox down"
    shown = terminals.run(
        ["sh", "-e", "-c", "\n".join(lines)],
        directory=ROOT,
        environment={**scenes.clean_environment(), "HANBAE_SANDBOX": demo.sandbox.name},
        deadline_s=120,
    )
    assert shown.code == 0, shown.text
    applications = re.findall(
        r"^\w+-(?:dev|staging|production) +(?:Synced|OutOfSync) ", shown.text, re.MULTILINE
    )
    assert len(applications) >= 9, shown.text
    assert re.search(r"\b3 \| 20\d\d-", shown.text)


def test_from_an_empty_repository_to_a_proven_deployment(newcomer: Newcomer) -> None:
    newcomer.types(INIT)
    newcomer.types(CLUSTER)
    write_service_and_push_image(newcomer)
    newcomer.types(CONTENT)
    shown = newcomer.types(DEPLOY)

    assert "auth_db proven: version 3, 3 files" in " ".join(click.unstyle(shown).split())
    listed = scenes.hanbae(
        *("history", "list", "--output", "json"),
        directory=newcomer.clone,
        **newcomer.environment(),
    )
    deployment = listed.only
    assert deployment["outcome"] == "succeeded"
    assert deployment["trigger"] == "automated"
    assert deployment["revision"] == demo_repository.git(newcomer.clone, "rev-parse", "HEAD")
    proven = [(m["database"], m["files"], m["version"]) for m in deployment["migrations"]]
    assert proven == [("auth_db", 3, 3)]
    with newcomer.sandbox.postgres.connect("shop") as connection:
        rows = connection.execute("SELECT max(version_id) FROM goose_db_version").fetchall()
    assert rows == [(3,)]


def test_down_leaves_nothing_of_the_sandbox(newcomer: Newcomer) -> None:
    (command,) = OTHERS[LOOKING_AROUND].splitlines()[-1:]
    ended = subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env={**scenes.clean_environment(), "HANBAE_SANDBOX": NAME},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert not newcomer.sandbox.site.folder.root.exists()
