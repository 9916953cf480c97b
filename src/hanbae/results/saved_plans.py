"""A plan that was written to a file: what it promises, each promise by itself, and nothing secret.

The file is a claim and no order: whoever deploys it works everything out anew, and deploys only what comes out the
same.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """What is promised of one service.

    Attributes:
        service: Its name.
        objects: SHA-256 of the rendered objects, in their order.
        images: Reference as the objects have it → the digest that it stands for.
        migrations: Database → version → SHA-256 of its file.
    """

    service: str
    objects: str
    images: dict[str, str]
    migrations: dict[str, dict[int, str]]


class Frozen(Struct, frozen=True, forbid_unknown_fields=True):
    """A saved plan.

    Attributes:
        kind: What the file is.
        format: Which form it has.
        hanbae: The version of hanbae that made it; another one may render otherwise.
        environment: The environment.
        branch: Its branch.
        revision: The commit at the head of the branch.
        policy: SHA-256 of the policy's content; comments do not count.
        cluster: uid of the workload cluster's ``kube-system`` namespace.
        services: What is promised of each service.
    """

    kind: Literal["hanbae-plan"]
    format: Literal[1]
    hanbae: str
    environment: str
    branch: str
    revision: str
    policy: str
    cluster: str
    services: tuple[Service, ...]


class Difference(Struct, frozen=True):
    """A promise that does not hold.

    Attributes:
        promise: Which.
        expected: What the plan says.
        found: What is so now; empty for what is not there.
    """

    promise: str
    expected: str
    found: str
