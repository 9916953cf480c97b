"""The pages "what you see when…": Argo CD's own sync of an earlier commit is in the way."""

from __future__ import annotations

import pytest
from tests.support import demos, operations, persons, scenes

SERVICE = persons.SERVICE


@pytest.fixture(scope="module")
def person(demo: demos.Demo, tmp_path_factory: pytest.TempPathFactory) -> persons.Person:
    scene = scenes.own(demo.sandbox, "try", services=(SERVICE,), automated=True)
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return persons.logged_in(scene, tmp_path_factory.mktemp("docker"))


def test_own_sync_of_an_earlier_commit_that_hangs(person: persons.Person) -> None:
    operations.hang_own_sync(person.scene, SERVICE)
    person.scene.build(SERVICE)
    person.scene.publish("The image is there")
    person.assert_deploys("older-sync", code=0)
