"""Who provides what the policy names as a namespace's purpose."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae.actions import overlay
from hanbae.policy import documents

STATEFULSET = {"kind": "StatefulSet", "metadata": {"name": "valkey", "namespace": "data-dev"}}


def policy(**spaces: documents.Namespace) -> documents.Policy:
    return documents.Policy(
        1,
        documents.ArgoCD("https://git.example.com/shop.git"),
        {"dev": documents.Environment(branch="develop", namespace_suffix="-dev")},
        namespaces=spaces,
    )


@pytest.mark.parametrize(
    ("space", "objects", "expected"),
    [
        (documents.Namespace(purpose=("Valkey",)), [], ("declared", "")),
        (
            documents.Namespace(purpose=("Valkey",)),
            [STATEFULSET],
            ("overlay", "StatefulSet/valkey"),
        ),
        (
            documents.Namespace(purpose=("Valkey",), expects={"Valkey": "valkey-primary"}),
            [STATEFULSET],
            ("expected", "valkey-primary"),
        ),
        (documents.Namespace(expects={"Valkey": "valkey"}), [], ("expected", "valkey")),
        (
            documents.Namespace(purpose=("Valkey",)),
            [{**STATEFULSET, "kind": "Valkey", "metadata": {"name": "a", "namespace": "data-dev"}}],
            ("overlay", "Valkey/a"),
        ),
        (
            documents.Namespace(purpose=("Valkey",), services=("valkey",)),
            [],
            ("service", "valkey"),
        ),
    ],
)
def test_a_part_is_provided_by_whoever_the_files_name(
    space: documents.Namespace, objects: list[dict[str, Any]], expected: tuple[str, str]
) -> None:
    (part,) = overlay.parts_of(policy(data=space), "dev", ("auth", "valkey"), objects)
    assert (part.namespace, part.name) == ("data-dev", "Valkey")
    assert (part.provided, part.by) == expected


def test_a_service_of_another_namespace_is_not_what_is_meant() -> None:
    space = documents.Namespace(purpose=("auth",))
    (part,) = overlay.parts_of(policy(data=space), "dev", ("auth",), [])
    assert part.provided == "declared"
