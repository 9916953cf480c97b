from __future__ import annotations

import pytest

from hanbae.sealing import encrypting, objects, versions


@pytest.mark.parametrize("scope", objects.SCOPES)
def test_scope_is_read_as_it_is_written(scope: encrypting.Scope) -> None:
    sealed = objects.least("n", "s", scope, {"K": "v"})
    assert objects.scope(sealed["metadata"].get("annotations")) == scope
    # Controllers below 0.36.0 take it from the template.
    assert sealed["spec"]["template"]["metadata"] == sealed["metadata"]


@pytest.mark.parametrize(
    "annotations",
    [
        None,
        [],
        {"sealedsecrets.bitnami.com/cluster-wide": True},
        {"sealedsecrets.bitnami.com/cluster-wide": "True"},
    ],
)
def test_anything_but_the_text_true_is_strict(annotations: object) -> None:
    assert objects.scope(annotations) == "strict"


@pytest.mark.parametrize(
    ("image", "is_old"),
    [
        ("docker.io/bitnami/sealed-secrets-controller:0.38.4", True),
        ("bitnami/sealed-secrets-controller:v0.9.8", True),
        ("bitnami/sealed-secrets-controller:0.39.1@sha256:00", True),
        ("bitnami/sealed-secrets-controller:0.40.0", False),
        ("bitnami/sealed-secrets-controller:v1.0.0", False),
        ("bitnami/sealed-secrets-controller:latest", False),
        ("registry:5000/sealed-secrets-controller", False),
    ],
)
def test_images_below_the_safe_version_are_old(image: str, is_old: bool) -> None:
    assert versions.is_old(image) is is_old
