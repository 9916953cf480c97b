"""``hanbae render``: the manifests that Argo CD would apply, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from hanbae import loops, wording
from hanbae.cli import names, nothing, options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.actions import render
    from hanbae.repository import keeping


@click.command(
    cls=options.Command,
    help="""\
Render services in every environment as Argo CD would, without a cluster.

Reads the files as git has them, or those of a commit; without SERVICE, of all services.""",
    epilog="""\
Examples:
  hanbae render auth --env dev
  hanbae render --revision main --output json
  hanbae render --save ../rendered""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@click.option("--revision", metavar="REV", help="Commit to read instead of the working tree.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write one file for each object below DIR, and remove what is no longer rendered.",
)
@click.option("--with-secrets", is_flag=True, help="Let --save write Secrets in clear.")
@click.option(
    "--kube-version", metavar="VERSION", help="Kubernetes version of the cluster, such as v1.35.4."
)
@click.option(
    "--api-version",
    "api_versions",
    multiple=True,
    metavar="GROUP/VERSION",
    help="API version that the cluster has beyond Kubernetes' own; repeatable.",
)
@options.cache
@options.output("yaml", "json", default="yaml")
@options.session
def command(  # noqa: PLR0917  click passes them by name
    session: options.Session,
    services: tuple[str, ...],
    environment: str | None,
    revision: str | None,
    save: Path | None,
    kube_version: str | None,
    api_versions: tuple[str, ...],
    output: str,
    *,
    with_secrets: bool,
    cache: bool,
) -> int:
    """Render."""
    from hanbae.actions import render
    from hanbae.repository import keeping

    request = render.Request(services, environment, revision, kube_version, api_versions)
    results = keeping.opened() if cache else None
    if save is not None:
        return loops.run(_save(session, request, results, save, secrets=with_secrets))
    return loops.run(_print(session, request, results, output))


async def _print(
    session: options.Session, request: render.Request, results: keeping.Cache | None, output: str
) -> int:
    """Write every release as it comes; only its own memory is needed."""
    from hanbae.actions import render

    failures: list[render.Failure] = []
    # YAML is what `helm template` prints; JSON has every object that Argo CD gets, a chart's CRDs too.
    request = msgspec.structs.replace(request, printed=output != "json")
    alone = len(request.services) == 1 and request.environment is not None
    rendered = 0
    rendering = render.rendering(session.directory, request, cache=results)
    with outputs.array(output == "json", "releases") as array:
        async with rendering as releases:
            async for release in releases:
                if isinstance(release, render.Failure):
                    failures.append(release)
                    continue
                rendered += 1
                _warn(session, release)
                if output == "json":
                    array.add({name: getattr(release, name) for name in _FIELDS})
                else:
                    head = f"# {release.environment} {release.namespace}/{release.release}\n"
                    outputs.document(release.manifest if alone else head + release.manifest)
    if not rendered and not failures:
        _tell_of_nothing(session, request)
    return _report(session, failures)


def _tell_of_nothing(session: options.Session, request: render.Request) -> None:
    """Say why there is nothing to show; what a revision has, the working tree cannot say."""
    if request.revision is None:
        nothing.tell(session, "render.nothing")
    else:
        session.narration.note(wording.Text("render.nothing"))


_FIELDS = ("service", "environment", "release", "namespace", "objects")


async def _save(
    session: options.Session,
    request: render.Request,
    results: keeping.Cache | None,
    folder: Path,
    *,
    secrets: bool,
) -> int:
    from hanbae.actions import render, save_rendered

    failures: list[render.Failure] = []
    rendering = render.rendering(session.directory, request, cache=results)
    with save_rendered.writing_to(folder, secrets=secrets) as tree:
        async with rendering as releases:
            async for release in releases:
                if isinstance(release, render.Failure):
                    failures.append(release)
                else:
                    _warn(session, release)
                    tree.add(release)
        if failures:
            session.narration.fail(wording.Text("render.not-saved", {"folder": str(folder)}))
            return _report(session, failures)
        saved = tree.finish()
    if not (saved.written or saved.unchanged):
        _tell_of_nothing(session, request)
    facts = {
        "folder": str(folder),
        "written": str(len(saved.written)),
        "removed": str(len(saved.removed)),
        "unchanged": str(saved.unchanged),
    }
    session.narration.succeed(wording.Text("render.saved", facts))
    return 0


def _warn(session: options.Session, release: render.Release) -> None:
    """Say what of a release is other objects elsewhere: what is shown may not be what is applied."""
    for warning in release.warnings:
        mark = click.style("! ", fg="yellow", bold=True)
        where = f" ({release.service} {release.environment})"
        session.narration.line(mark + catalogue.sentence(warning) + where)


def _report(session: options.Session, failures: list[render.Failure]) -> int:
    """Say what did not render, and where; a fault in the user's files."""
    for failure in failures:
        # The environment is empty where a service renders in none of them.
        where = f" ({failure.service} {failure.environment})".replace(" )", ")")
        session.narration.fail_worded(catalogue.fault(failure.fault) + where)
    return 2 if failures else 0
