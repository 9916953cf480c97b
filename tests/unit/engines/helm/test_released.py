"""What is read of Helm's record of a release, whoever has written it."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from hanbae.engines.helm import released

MANIFEST = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def packed(content: object) -> str:
    """A record as Helm packs it, as the API server gives it."""
    data = gzip.compress(json.dumps(content).encode(), mtime=0)
    return base64.b64encode(base64.b64encode(data)).decode()


def test_the_manifest_of_a_record_is_read() -> None:
    record = {"name": "auth", "chart": {"templates": []}, "manifest": MANIFEST, "version": 3}
    assert released.manifest(packed(record)) == MANIFEST


@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        "",
        "not base64!",
        base64.b64encode(b"not base64!").decode(),
        base64.b64encode(base64.b64encode(b"\x1f\x8bnothing")).decode(),
        packed([]),
        packed({"manifest": 7}),
        packed({}),
    ],
)
def test_what_is_no_record_has_no_manifest(content: object) -> None:
    assert released.manifest(content) == ""


def test_a_record_that_grows_without_end_is_not_read() -> None:
    assert released.manifest(packed({"manifest": "a" * (40 * 1024 * 1024)})) == ""
