"""What ``hanbae rollout`` says of the workloads of a service."""

from __future__ import annotations

from msgspec import Struct


class Rollout(Struct, frozen=True):
    """How far the rollout of one workload is.

    Attributes:
        kind: ``Deployment``, ``StatefulSet`` or ``DaemonSet``.
        namespace: Its namespace.
        name: Its name.
        state: ``Complete``, ``Progressing``, ``Paused`` or ``Failed``.
        message: Counts of pods, or the controller's sentence.
        images: Container → image of its pod template.
    """

    kind: str
    namespace: str
    name: str
    state: str
    message: str
    images: dict[str, str]


class Undone(Struct, frozen=True):
    """A workload that was put back to an earlier pod template.

    Attributes:
        kind: Its kind.
        namespace: Its namespace.
        name: Its name.
        revision: The cluster's number of the template that it was put back to.
        before: Container → image before.
        after: Container → image after.
    """

    kind: str
    namespace: str
    name: str
    revision: int
    before: dict[str, str]
    after: dict[str, str]


class Rolled(Struct, frozen=True):
    """The workloads of a service after a command of ``hanbae rollout``.

    Attributes:
        service: The service.
        environment: The environment.
        rollouts: How far they are.
        undone: Those that were put back.
    """

    service: str
    environment: str
    rollouts: tuple[Rollout, ...]
    undone: tuple[Undone, ...] = ()
