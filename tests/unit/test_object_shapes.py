"""Which objects have the shape of their kind, and what is said to be missing of the others."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import applications as samples

from hanbae import object_shapes


@pytest.mark.parametrize(
    ("item", "lacking"),
    [
        ({}, "metadata"),
        (7, "metadata"),
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": 7}}, "metadata.name"),
        ({"metadata": {"name": "a", "labels": {"b": 7}}}, "metadata.labels[...]"),
        (
            {"metadata": {"name": "a"}, "spec": {"template": {"spec": {}}}},
            "spec.template.spec.containers",
        ),
        ({"metadata": {"name": "a"}}, ""),
    ],
)
def test_what_is_missing_is_named_by_its_keys(item: Any, lacking: str) -> None:
    assert object_shapes.fault(item, "Job") == lacking


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        ({}, {"retryCount": "x"}),
        ({"sync": {"syncStrategy": "x"}}, {}),
        ({"sync": {"syncStrategy": {"apply": "x"}}}, {}),
        ({"sync": {"syncOptions": {"a": "b"}}}, {}),
        ({"sync": {"revisions": 7}}, {}),
        ({"sync": {"revision": {}}}, {}),
        ({"sync": {"resources": "x"}}, {}),
        ({}, {"syncResult": {"revisions": [{}]}}),
        ({}, {"syncResult": {"revisions": 7}}),
    ],
)
def test_an_operation_that_no_argo_cd_writes_is_stopped_at_the_border(
    operation: dict[str, Any], state: dict[str, Any]
) -> None:
    application = samples.application()
    assert object_shapes.fault(application, "Application") == ""
    application["status"]["operationState"] = {"phase": "Running", "operation": operation, **state}
    assert object_shapes.fault(application, "Application").startswith("status.operationState.")


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        ({"resourceVersion": "42"}, 42),
        ({}, 0),
        ({"resourceVersion": None}, 0),
        ({"resourceVersion": "²"}, 0),
        ({"resourceVersion": "9" * 5000}, 0),
    ],
)
def test_a_version_that_no_api_server_gives_is_older_than_every_other(
    metadata: dict[str, Any], version: int
) -> None:
    assert object_shapes.version({"metadata": metadata}) == version
