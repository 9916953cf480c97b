"""Where files are, and which may be in git: the chart layout of the policy, values files, plaintext secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.rules import rulebook, views

_TEMPLATES: Final = ("deployment", "service", "ingress", "hpa", "sealed-secret", "migration-job")


@rulebook.of_service("LAY001", "warning", source="deployment-policy.ko.md, Helm 차트 구조")
def missing_template(service: views.Service) -> Iterator[rulebook.Hit]:
    """A template that the policy's chart layout has and this chart has not."""
    for name in _TEMPLATES:
        path = f"templates/{name}.yaml"
        if path not in service.chart_files:
            yield rulebook.Hit(subjects.Place(f"{service.chart}/Chart.yaml"), {"file": path})
