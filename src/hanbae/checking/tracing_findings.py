"""Where a person mends what rules find in rendered objects: the release is rendered again with numbered templates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hanbae import errors
from hanbae.charts import pools, rendering
from hanbae.checking import findings_of_rules
from hanbae.planning import releases
from hanbae.results import findings
from hanbae.rules import placing, running, views


async def traced(
    pool: pools.Pool, service: views.Service, found: Iterable[running.Found]
) -> list[findings.Finding]:
    """Findings in rendered objects, at the lines that a person edits."""
    wanted: dict[str, list[running.Found]] = {}
    for each in found:
        if isinstance(each.hit.at, views.On):
            wanted.setdefault(each.environment, []).append(each)
    result = []
    for environment, hits in wanted.items():
        # A rule over the whole service shows an object of one of its releases.
        name = environment or next(iter(service.releases))
        texts, documents = await _numbered(pool, service, name)
        for each in hits:
            assert isinstance(each.hit.at, views.On)  # noqa: S101  chosen above
            place, precision = placing.place(service.releases[name], each.hit.at, texts, documents)
            result.append(findings_of_rules.finding(each, place, precision, each.hit.at.object.ref))
    return result


async def _numbered(
    pool: pools.Pool, service: views.Service, environment: str
) -> tuple[dict[str, str], tuple[tuple[str, Any], ...]]:
    """A release rendered again with numbered templates; nothing where they do not render."""
    project = service.project
    try:
        values = project.tree.read(service.releases[environment].values_file) or b""
        want = releases.requested(project.policy, service.name, environment, values)
        (answer,) = await rendering.answers(
            pool, project.tree, service.chart, [want], changed=placing.numbered, texts=True
        )
    except errors.FileFault:
        return {}, ()
    return answer.texts, answer.documents
