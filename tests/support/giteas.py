"""A real forge on this machine: Gitea over plain HTTP, with its users, repositories and merge requests."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.support import peers, polling, ports

ADMINISTRATOR: Final = "root-of-the-forge"
PASSWORD: Final = "c4n4ry-0f-th3-f0rge"


@dataclass
class Gitea:
    """The server.

    Attributes:
        url: Its address.
        log: What it says.
        words: Its program with the arguments that every call has.
        environment: Its variables.
        process: It; None before it has begun.
        tokens: User → token.
    """

    url: str
    log: Path
    words: tuple[str, ...]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.process.pid

    def begin(self) -> None:
        """Run it, until it answers."""
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [*self.words, "web"], env=self.environment, stdout=file, stderr=file
            )
        try:
            polling.until(lambda: _answers(self), within=180, state=self.end_of_log)
        except AssertionError:
            self.end()
            raise

    def end(self) -> None:
        """End it; what it keeps stays."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody answers at its address meanwhile."""
        self.end()
        try:
            yield
        finally:
            self.begin()

    def user(self, name: str) -> str:
        """A user with a token that may do what they may."""
        body = {
            "username": name,
            "password": PASSWORD,
            "email": f"{name}@example.com",
            "must_change_password": False,
        }
        self.ask("POST", "admin/users", body, by=ADMINISTRATOR)
        scopes = {"name": "tests", "scopes": ["all"]}
        self.tokens[name] = self.ask("POST", f"users/{name}/tokens", scopes, by=name)["sha1"]
        return self.tokens[name]

    def repository(self, owner: str, name: str, *writers: str) -> str:
        """An empty repository; its address with the owner's password, for git."""
        self.ask("POST", "user/repos", {"name": name, "private": True}, by=owner)
        for writer in writers:
            path = f"repos/{owner}/{name}/collaborators/{writer}"
            self.ask("PUT", path, {"permission": "write"}, by=owner)
        return self.remote(owner, f"{owner}/{name}")

    def remote(self, user: str, project: str) -> str:
        """The address of a repository for git, as a user."""
        return self.url.replace("://", f"://{user}:{PASSWORD}@") + f"/{project}.git"

    def protect(self, project: str, branch: str, *, approvals: int = 0) -> None:
        """Have a branch that only merge requests change."""
        body = {
            "rule_name": branch,
            "branch_name": branch,
            "enable_push": False,
            "required_approvals": approvals,
        }
        owner = project.partition("/")[0]
        self.ask("POST", f"repos/{project}/branch_protections", body, by=owner)

    def request(self, project: str, source: str, target: str, *, by: str) -> int:
        """Open a merge request; its number."""
        body = {"title": "By hand", "head": source, "base": target}
        return int(self.ask("POST", f"repos/{project}/pulls", body, by=by)["number"])

    def until_filled(self, project: str) -> None:
        """Wait until Gitea has taken notice of the first push: an empty repository has no merge requests."""
        owner = project.partition("/")[0]
        polling.until(
            lambda: not self.ask("GET", f"repos/{project}", by=owner)["empty"],
            within=120,
            state=self.end_of_log,
        )

    def review(self, project: str, number: int, state: str, *, by: str) -> None:
        """Review a merge request: ``APPROVED``, ``REQUEST_CHANGES``, ``COMMENT``."""
        body = {"event": state, "body": "Seen."}
        self.ask("POST", f"repos/{project}/pulls/{number}/reviews", body, by=by)

    def merge(self, project: str, number: int, *, by: str, how: str = "merge") -> str:
        """Merge a merge request once Gitea has found out that it can be; the commit."""
        path = f"repos/{project}/pulls/{number}"
        polling.until(
            lambda: self.ask("GET", path, by=by)["mergeable"], within=30, state=self.end_of_log
        )
        self.ask("POST", f"{path}/merge", {"Do": how}, by=by)
        return str(self.ask("GET", path, by=by)["merge_commit_sha"])

    def ask(self, method: str, path: str, body: Any = None, *, by: str) -> Any:
        """Ask its API as a user.

        Raises:
            urllib.error.HTTPError: It does not do it.
        """
        login = base64.b64encode(f"{by}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310  its own address
            f"{self.url}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"authorization": f"Basic {login}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            data = answer.read()
        return json.loads(data) if data else None

    def end_of_log(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]


@contextmanager
def running(folder: Path, database: str, *, host: str = "127.0.0.1") -> Iterator[Gitea]:
    """A forge.

    Args:
        folder: What it keeps.
        database: The URL of an empty PostgreSQL database.
        host: The address of this machine at which it is reached.
    """
    program = peers.program(peers.GITEA)
    port = ports.reserve(host)
    configuration = folder / "app.ini"
    configuration.write_text(_configuration(folder, database, (host, port), program))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GITEA_WORK_DIR": str(folder),
        "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true",
    }
    words = (str(program), "--config", str(configuration))
    forge = Gitea(f"http://{host}:{port}", folder / "log", words, environment)
    forge.begin()
    try:
        create = ["admin", "user", "create", "--username", ADMINISTRATOR, "--password", PASSWORD]
        create += ["--email", "root@example.com", "--must-change-password=false", "--admin"]
        ended = subprocess.run(
            [*words, *create], env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr + ended.stdout
        yield forge
    finally:
        forge.end()


def _answers(forge: Gitea) -> bool:
    assert forge.process is not None
    assert forge.process.poll() is None, forge.end_of_log()
    try:
        with urllib.request.urlopen(f"{forge.url}/api/healthz", timeout=5):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False


def _configuration(folder: Path, database: str, address: tuple[str, int], program: Path) -> str:
    server, (host, port) = urlsplit(database), address
    return f"""\
RUN_MODE = prod
[server]
PROTOCOL = http
HTTP_ADDR = {host}
HTTP_PORT = {port}
ROOT_URL = http://{host}:{port}/
OFFLINE_MODE = true
DISABLE_SSH = true
STATIC_ROOT_PATH = {program.parent.parent / "static"}
APP_DATA_PATH = {folder / "data"}
[database]
DB_TYPE = postgres
HOST = {server.hostname}:{server.port}
NAME = {server.path.strip("/")}
USER = {server.username}
PASSWD = `{server.password}`
[repository]
ROOT = {folder / "repositories"}
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = tests
PASSWORD_HASH_ALGO = pbkdf2_v1
[service]
DISABLE_REGISTRATION = true
[log]
MODE = console
LEVEL = Warn
[webhook]
ALLOWED_HOST_LIST = *
[cron]
ENABLED = false
"""
