"""Where a person edits a part of an object that a commit's chart renders: the values file, else the template."""

from __future__ import annotations

from hanbae import errors, subjects
from hanbae.charts import pools, rendering
from hanbae.planning import deployments, releases
from hanbae.rules import placing, views


async def place(
    source: deployments.Source, rendered: rendering.Manifest, pointer: views.Pointer
) -> subjects.Place:
    """The line that says a part of an object; only the template where that cannot be told.

    Args:
        source: The service at its commit.
        rendered: The object, one of the source's.
        pointer: Keys and indices that lead to the part.
    """
    policy, revision = source.policy, source.revision
    service = views.Service(views.Project(policy, {}, revision, (source.service,)), source.service)
    template = service.template(rendered.template)
    manifest = views.Object(rendered.object, template, 0, source.namespace)
    release = views.Release(service, source.environment, source.rendered.values, (manifest,))
    numbered = await _numbered(source, service, manifest)
    line, _ = placing.place(release, views.On(manifest, pointer), numbered)
    return line


async def _numbered(
    source: deployments.Source, service: views.Service, manifest: views.Object
) -> placing.Numbered:
    """The release rendered again with a numbered template; nothing where that does not render."""
    policy, revision = source.policy, source.revision
    try:
        values = releases.values(revision, policy, source.service, source.environment)
        overrides = releases.overrides(
            revision, policy, source.service, source.environment, values.contents
        )
        request = releases.requested(
            revision,
            policy,
            source.service,
            source.environment,
            values.contents,
            overrides=overrides,
        )
        async with pools.opened(1) as pool:
            (answer,) = await rendering.answers(
                pool,
                revision,
                service.chart,
                [request],
                changed=placing.numbering(service, [manifest]),
                texts=True,
            )
    except errors.FileFault:
        return placing.Numbered(service)
    return placing.Numbered(service, answer.texts, answer.documents)
