"""Where a person mends what rules find in rendered objects: the release is rendered again with numbered templates."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hanbae import errors
from hanbae.charts import pools, rendering
from hanbae.checking import findings_of_rules, projects, unbegun
from hanbae.results import findings
from hanbae.rules import placing, running, views

# Environment, and the API versions that are assumed of its cluster.
_Key = tuple[str, tuple[str, ...]]


async def traced(
    pool: pools.Pool, rendered: projects.RenderedService, hits: Iterable[running.RuleHit]
) -> list[findings.Finding]:
    """The findings of hits in rendered objects, at the lines that a person edits.

    Args:
        pool: Renders.
        rendered: The service.
        hits: What rules found in it.
    """
    service = rendered.service
    by_release: dict[_Key, list[tuple[running.RuleHit, views.On]]] = {}
    for hit in hits:
        if isinstance(hit.hit.place, views.On):
            # A rule over the whole service shows an object of one of its releases.
            name = hit.environment or next(iter(service.releases))
            by_release.setdefault((name, hit.assumed), []).append((hit, hit.hit.place))
    if not by_release:
        return []
    parts = [part.object for entries in by_release.values() for _, part in entries]
    numbered = await _numbered(pool, rendered, by_release, parts)
    result = []
    for key, objects in by_release.items():
        lines = numbered.get(key, placing.Numbered(service))
        for hit, part in objects:
            place, precision = placing.place(service.releases[key[0]], part, lines)
            result.append(findings_of_rules.finding(hit, place, precision, part.object.ref))
    return result


async def _numbered(
    pool: pools.Pool,
    rendered: projects.RenderedService,
    keys: Iterable[_Key],
    parts: Iterable[views.Object],
) -> dict[_Key, placing.Numbered]:
    """Releases rendered again, with numbers in the templates of some objects; without those that do not render."""
    service = rendered.service
    requests = {
        key: _again(rendered.requests[key[0]], service.releases[key[0]].layer, key[1])
        for key in keys
        if key[0] in rendered.requests
    }
    if not requests:
        return {}
    try:
        answers = await rendering.answers(
            pool,
            service.project.tree,
            service.chart,
            list(requests.values()),
            changed=placing.numbering(service, parts),
            texts=True,
            lenient=service.incomplete,
        )
    except errors.FileFault:
        return {}
    return {
        key: placing.Numbered(service, answer.texts, answer.documents)
        for key, answer in zip(requests, answers, strict=True)
    }


def _again(request: pools.Release, layer: bytes, assumed: tuple[str, ...]) -> pools.Release:
    """A release as the rules have seen it: with the layer, and with API versions that are assumed of its cluster."""
    request = unbegun.with_layer(request, layer)
    versions = (*request.api_versions, *assumed)
    # What other clusters make of it, and that its values satisfy their schema, is known from the first rendering.
    return msgspec.structs.replace(request.alone, api_versions=versions, skip_schema=True)
