"""The pages "what you see when…": each scene is played on a terminal of 80 columns, in both languages.

Every command that a scene prints is run after its deployment has ended: a cure that does not work is none.
"""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support import demos, scenes, seen, terminals

SERVICE = "personal"
REFUSED = 5
NOWHERE = "sha256:" + "0" * 64
PAGES = {
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
            "PATH": f"{path}:/usr/bin:/bin",
            "TERM": "xterm-256color",
        }

    def assert_deploys(self, name: str, *, code: int) -> str:
        """Deploy, hold what is shown against both pages, and return it in English."""
        words = ("deploy", SERVICE, "--env", self.scene.environment, "--insecure-registry", "--yes")
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
                env=self.environment() | {"HANBAE_LANG": "en", "HANBAE_IMAGE_SET_INSECURE": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"


@pytest.fixture(scope="module")
def person(demo: demos.Demo, tmp_path_factory: pytest.TempPathFactory) -> Person:
    home = tmp_path_factory.mktemp("docker")
    registry = demo.sandbox.registry
    login = base64.b64encode(f"{registry.username}:{registry.password.unmask().decode()}".encode())
    auths = {registry.address: {"auth": login.decode()}}
    (home / "config.json").write_text(json.dumps({"auths": auths}))
    return Person(scenes.own(demo.sandbox, "qa", services=(SERVICE,)), home)


def test_first_deployment_succeeds(person: Person) -> None:
    person.assert_deploys("succeeded", code=0)


def test_image_that_is_not_in_the_registry(person: Person) -> None:
    scene = person.scene
    reference = scene.build(SERVICE)
    scene.edit(SERVICE, {"image.digest": NOWHERE})
    scene.publish("An image that nobody has pushed")
    screen = person.assert_deploys("image-missing", code=5)
    person.assert_commands_work(screen, IMAGE_TAG=reference)
    scene.publish("An image that is there")


def test_image_without_the_migrations_of_the_commit(person: Person) -> None:
    scene = person.scene
    name = "00004_add_nickname.sql"
    statement = "ALTER TABLE profiles ADD COLUMN nickname text;"
    scenes.write_migrations(scene.migrations(SERVICE), {name: [statement]})
    scene.publish("A migration that the image does not have")
    screen = person.assert_deploys("image-without-migrations", code=5)
    person.assert_commands_work(screen, IMAGE_TAG=scene.build(SERVICE))
    scene.publish("An image with it")
    mended = person.types("deploy", SERVICE, "--env", scene.environment, "--yes")
    assert mended.code == 0, mended.text


def test_migration_that_is_wrong(person: Person) -> None:
    scene = person.scene
    name = "00005_wrong.sql"
    statement = "ALTER TABLE nowhere ADD COLUMN a text;"
    scenes.write_migrations(scene.migrations(SERVICE), {name: [statement]})
    scene.build(SERVICE)
    scene.publish("A table that is not there")
    screen = person.assert_deploys("wrong-migration", code=1)
    person.assert_commands_work(screen)
    (scene.migrations(SERVICE) / name).unlink()
    scene.build(SERVICE)
    scene.publish("Without the wrong table")


def test_program_that_crashes(person: Person) -> None:
    scene = person.scene
    scene.set_environment(SERVICE, REQUIRED_TABLES="elsewhere.nothing")
    scene.publish("A table that is in no database")
    screen = person.assert_deploys("crash", code=1)
    person.assert_commands_work(screen)
    scene.replace(SERVICE, '\nenv:\n  REQUIRED_TABLES: "elsewhere.nothing"\n', "\nenv: {}\n")
    scene.publish("Only tables that there are")


def test_secret_that_is_not_sealed(person: Person) -> None:
    scene = person.scene
    scene.create("bare", like=SERVICE)
    scene.publish("A service without secrets")
    words = ("deploy", "bare", "--env", scene.environment, "--insecure-registry", "--yes")
    shown = {language: person.types(*words, language=language) for language in PAGES}
    for language, page in PAGES.items():
        assert shown[language].code == 5, shown[language].text
        page.compare("secret-missing", seen.shown(shown[language].text))
