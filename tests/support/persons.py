"""Somebody at a terminal of 80 columns, who works in one environment; what is shown is held against the pages."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import scenes, seen, terminals

SERVICE: Final = "personal"
REFUSED: Final = 5
PAGES: Final = {
    "en": seen.Page(seen.ROOT / "docs" / "what-you-see.md"),
    "ko": seen.Page(seen.ROOT / "docs" / "what-you-see.ko.md"),
}


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal, in a clone, who may deploy one environment and is logged in to the registry."""

    scene: scenes.Scene
    home: Path

    def types(
        self, *words: str, language: str = "en", answers: dict[str, str] | None = None
    ) -> terminals.Shown:
        """Type a command."""
        return terminals.run(
            [sys.executable, "-m", "hanbae", *words],
            directory=self.scene.clone,
            environment=self.environment() | {"HANBAE_LANG": language},
            answers=answers,
            columns=80,
            rows=24,
            deadline_s=400,
        )

    def environment(self) -> dict[str, str]:
        """Variables of the person's shell."""
        path = f"{Path(sys.executable).parent}:{self.scene.shop.sandbox.environment()['PATH']}"
        return {
            **scenes.clean_environment(),
            **self.scene.deployer(),
            "DOCKER_CONFIG": str(self.home),
            "HANBAE_PLAIN_REGISTRIES": self.scene.shop.sandbox.registry.address,
            "PATH": f"{path}:/usr/bin:/bin",
            "TERM": "xterm-256color",
        }

    def assert_deploys(self, name: str, *options: str, code: int) -> str:
        """Deploy, hold what is shown against both pages, and return it in English."""
        target = ("deploy", SERVICE, "--env", self.scene.environment)
        words = (*target, "--yes", *options)
        shown = self.types(*words)
        assert shown.code == code, shown.text
        screen = seen.shown(shown.text)
        PAGES["en"].compare(name, screen)
        # A refusal is asked for once more; a deployment is shown as it was recorded.
        again = words if code == REFUSED else ("attach", self.last())
        other = self.types(*again, language="ko")
        assert other.code == code, other.text
        PAGES["ko"].compare(name, seen.shown(other.text))
        return shown.text

    def last(self) -> str:
        """Id of the last deployment."""
        listed = scenes.hanbae(
            *("history", "list", "--env", self.scene.environment, "--output", "json"),
            directory=self.scene.clone,
        )
        deployment: str = listed.deployments[0]["id"]
        return deployment

    def assert_commands_work(self, screen: str, **examples: str) -> None:
        """Run the commands that were shown, with what a person writes in place of words in capitals."""
        commands = seen.commands(seen.plain(screen))
        assert commands, screen
        for command in commands:
            words = shlex.split(command)
            ended = subprocess.run(
                [examples.get(word.replace(":", "_"), word) for word in words],
                cwd=self.scene.clone,
                env=self.environment() | {"HANBAE_LANG": "en"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"


def logged_in(scene: scenes.Scene, home: Path) -> Person:
    """A person who has logged in to the sandbox's registry.

    Args:
        scene: Where they work.
        home: An empty folder for their Docker configuration.
    """
    registry = scene.shop.sandbox.registry
    login = base64.b64encode(f"{registry.username}:{registry.password.unmask().decode()}".encode())
    auths = {registry.address: {"auth": login.decode()}}
    (home / "config.json").write_text(json.dumps({"auths": auths}))
    return Person(scene, home)
