"""What services answer to whoever asks them, once they are there to be asked."""

from __future__ import annotations

import contextlib

from tests.support import polling, scenes

from hanbae import errors


def answer(scene: scenes.Scene, service: str, path: str) -> str:
    """What a service answers to a GET, as soon as it does.

    A deployment is over when its pods are ready; that the Service leads to them is written a moment later, by another
    controller.

    Raises:
        AssertionError: It answers nothing.
    """
    bodies: list[str] = []

    def is_answered() -> bool:
        with contextlib.suppress(errors.Failed):
            bodies.append(scene.answers(service, path))
        return bool(bodies)

    polling.until(is_answered, pause=0.5)
    return bodies[0]
