"""Where a person mends what rules find in rendered objects: the release is rendered again with numbered templates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from hanbae import errors
from hanbae.charts import pools, rendering
from hanbae.checking import findings_of_rules, unbegun
from hanbae.planning import releases
from hanbae.results import findings
from hanbae.rules import placing, running, views


async def traced(
    pool: pools.Pool, service: views.Service, hits: Iterable[running.RuleHit]
) -> list[findings.Finding]:
    """The findings of hits in rendered objects, at the lines that a person edits."""
    by_release: dict[tuple[str, tuple[str, ...]], list[tuple[running.RuleHit, views.On]]] = {}
    for hit in hits:
        if isinstance(hit.hit.place, views.On):
            by_release.setdefault((hit.environment, hit.assumed), []).append((hit, hit.hit.place))
    result = []
    for (environment, assumed), objects in by_release.items():
        # A rule over the whole service shows an object of one of its releases.
        name = environment or next(iter(service.releases))
        texts, documents = await _numbered(pool, service, name, assumed)
        for hit, part in objects:
            place, precision = placing.place(service.releases[name], part, texts, documents)
            result.append(findings_of_rules.finding(hit, place, precision, part.object.ref))
    return result


async def _numbered(
    pool: pools.Pool, service: views.Service, environment: str, assumed: tuple[str, ...]
) -> tuple[dict[str, str], tuple[tuple[str, Any], ...]]:
    """A release rendered again with numbered templates; nothing where they do not render.

    Args:
        pool: Renders.
        service: The service.
        environment: The environment of the release.
        assumed: More API versions that its cluster has.
    """
    project = service.project
    try:
        policy, name = project.policy, service.name
        written = project.shared.written(name, environment)
        values = releases.values(project.tree, policy, name, environment, written=written)
        overrides = releases.overrides(
            project.tree, policy, name, environment, values.contents, written=written
        )
        request = releases.requested(
            project.tree,
            policy,
            name,
            environment,
            values.contents,
            overrides=overrides,
            added=project.added,
            cluster=project.served.get(environment),
        )
        request = unbegun.with_layer(request, service.releases[environment].layer)
        versions = (*request.api_versions, *assumed)
        # Alone: what other clusters make of it is known from the first rendering.
        request = msgspec.structs.replace(request.alone, api_versions=versions)
        (answer,) = await rendering.answers(
            pool,
            project.tree,
            service.chart,
            [request],
            changed=placing.numbered,
            texts=True,
            lenient=service.incomplete,
        )
    except errors.FileFault:
        return {}, ()
    return answer.texts, answer.documents
