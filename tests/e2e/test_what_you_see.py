"""The pages "what you see when…": each scene is played on a terminal of 80 columns, in both languages.

Every command that a scene prints is run after its deployment has ended: a cure that does not work is none.
"""

from __future__ import annotations

import pytest
from tests.support import demos, faults, operations, persons, scenes, seen

from hanbae.policy import naming

SERVICE = persons.SERVICE
NOWHERE = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def person(demo: demos.Demo, tmp_path_factory: pytest.TempPathFactory) -> persons.Person:
    scene = scenes.own(demo.sandbox, "qa", services=(SERVICE,))
    return persons.logged_in(scene, tmp_path_factory.mktemp("docker"))


def test_first_deployment_succeeds(person: persons.Person) -> None:
    person.assert_deploys("succeeded", code=0)


def test_pods_that_ask_for_more_than_the_quota_allows(person: persons.Person) -> None:
    scene = person.scene
    cores = scene.values_of(SERVICE).get("resources.requests.cpu")
    scene.edit(SERVICE, {"resources.requests.cpu": "64"})
    scene.publish("More cores than the namespace may have")
    screen = person.assert_deploys("quota-too-small", code=1)
    person.assert_commands_work(screen)
    scene.edit(SERVICE, {"resources.requests.cpu": cores})
    scene.publish("As many as before")


def test_image_that_is_not_in_the_registry(person: persons.Person) -> None:
    scene = person.scene
    reference = scene.build(SERVICE)
    scene.edit(SERVICE, {"image.digest": NOWHERE})
    scene.publish("An image that nobody has pushed")
    screen = person.assert_deploys("image-missing", code=5)
    person.assert_commands_work(screen, IMAGE_TAG=reference)
    scene.publish("An image that is there")


def test_image_without_the_migrations_of_the_commit(person: persons.Person) -> None:
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


def test_migration_that_is_wrong(person: persons.Person) -> None:
    scene = person.scene
    name = "00005_wrong.sql"
    statement = "ALTER TABLE nowhere ADD COLUMN a text;"
    scenes.write_migrations(scene.migrations(SERVICE), {name: [statement]})
    reference = scene.build(SERVICE)
    scene.publish("A table that is not there")
    screen = person.assert_deploys("wrong-migration", code=1)
    person.assert_commands_work(screen, IMAGE_TAG=reference)
    (scene.migrations(SERVICE) / name).unlink()
    scene.build(SERVICE)
    scene.publish("Without the wrong table")


def test_program_that_crashes(person: persons.Person) -> None:
    scene = person.scene
    scene.set_environment(SERVICE, REQUIRED_TABLES="elsewhere.nothing")
    scene.publish("A table that is in no database")
    screen = person.assert_deploys("crash", code=1)
    person.assert_commands_work(screen)
    scene.replace(SERVICE, '\nenv:\n  REQUIRED_TABLES: "elsewhere.nothing"\n', "\nenv: {}\n")
    scene.publish("Only tables that there are")


def test_sync_that_a_person_has_started(person: persons.Person) -> None:
    scene = person.scene
    broken = operations.break_image(scene, SERVICE)
    with operations.started_by_a_person(scene, SERVICE, broken):
        scene.build(SERVICE)
        scene.publish("The image is there")
        screen = person.assert_deploys("busy", code=persons.REFUSED)
        command = seen.commands(seen.plain(screen))[-1]
        stopped = person.types(*command.split()[1:], answers={r"End it\?.*$": "y"})
        assert stopped.code == 0, stopped.text
        assert "operation" not in scene.operation(SERVICE)


def test_program_that_is_never_ready(person: persons.Person) -> None:
    scene = person.scene
    variable = f"{SERVICE}_db.nowhere"
    scene.set_environment(SERVICE, REQUIRED_TABLES=variable)
    scene.publish("A table that is in no migration")
    screen = person.assert_deploys("never-ready", "--timeout", "75", code=1)
    person.assert_commands_work(screen)
    scene.replace(SERVICE, f'\nenv:\n  REQUIRED_TABLES: "{variable}"\n', "\nenv: {}\n")
    scene.publish("Only tables that the migrations make")


def test_pods_that_no_node_takes(person: persons.Person) -> None:
    scene = person.scene
    chart = scene.clone / naming.chart(scene.shop.policy, SERVICE)
    template = chart / "templates" / "deployment.yaml"
    written = template.read_text()
    faults.FAULTS["nowhere"].breaks(scene, SERVICE)
    scene.publish("Only on a node with fast disks")
    screen = person.assert_deploys("no-node", "--timeout", "60", code=1)
    person.assert_commands_work(screen)
    template.write_text(written)
    scene.publish("On any node")


def test_migration_with_too_little_memory(person: persons.Person) -> None:
    scene = person.scene
    chart = scene.clone / naming.chart(scene.shop.policy, SERVICE)
    template = chart / "templates" / "migration-job.yaml"
    written = template.read_text()
    faults.FAULTS["starving"].breaks(scene, SERVICE)
    scene.publish("A migration of more than its memory")
    screen = person.assert_deploys("out-of-memory", code=1)
    template.write_text(written)
    (scene.migrations(SERVICE) / "00009_broken.sql").unlink()
    scene.build(SERVICE)
    scene.publish("Without the large migration")
    person.assert_commands_work(screen)  # to deploy again, once it is mended


def test_secret_that_is_not_sealed(person: persons.Person) -> None:
    scene = person.scene
    scene.create("bare", like=SERVICE)
    scene.publish("A service without secrets")
    words = ("deploy", "bare", "--env", scene.environment, "--yes")
    shown = {language: person.types(*words, language=language) for language in persons.PAGES}
    for language, page in persons.PAGES.items():
        assert shown[language].code == 5, shown[language].text
        page.compare("secret-missing", seen.shown(shown[language].text))
