"""``hanbae init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hanbae import loops, wording
from hanbae.cli import options
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.actions import adopt


@click.command(
    cls=options.Command,
    help="""\
Write hanbae.yaml and the k8s folder: the policy, and the namespaces with an overlay per environment.

In a repository that has charts, overlays or Applications already, look at them first, say what is there, and write
only hanbae.yaml, with a comment wherever something was guessed.
Run again, it writes what is missing, says which files are not what hanbae.yaml asks for, and never overwrites them.""",
    epilog="""\
Examples:
  hanbae init --repository https://git.example.com/shop.git
  hanbae init --one-cluster --language ko
  hanbae init --from-cluster --context production
  kubectl apply -k k8s/overlays/dev""",
)
@click.option(
    "--repository",
    metavar="URL",
    help="The repository as Argo CD fetches it; by default the URL of the git remote origin.",
)
@click.option(
    "--language",
    type=options.Choice(catalogue.LANGUAGES),
    help="Language of the policy and of comments; by default the language of messages.",
)
@click.option(
    "--one-cluster",
    is_flag=True,
    help="All environments share one cluster: their namespaces get suffixes.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Overwrite edited files of the k8s folder. hanbae.yaml is never overwritten.",
)
@click.option(
    "--from-cluster",
    is_flag=True,
    help="Read the Applications of the cluster as well.",
)
@options.context()
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.output("text", "json")
@options.session
@click.pass_context
def command(
    context: click.Context,
    session: options.Session,
    *,
    repository: str | None,
    language: str | None,
    one_cluster: bool,
    force: bool,
    from_cluster: bool,
    kube_context: str | None,
    yes: bool,
    output: str,
) -> None:
    """Scaffold the repository around the folder, or adopt what is in it."""
    from hanbae import errors
    from hanbae.actions import init
    from hanbae.cli import adopting
    from hanbae.cli.reports import file_changes
    from hanbae.policy import loading

    root = session.directory
    try:
        root = loading.find(root).parent
    except errors.WrongUse:  # the usual case: this is going to be the root
        spoken = context.find_root().params.get("lang")
        language = language or catalogue.preferred(spoken, root)
    again = (root / loading.NAME).exists()
    if kube_context is not None and not from_cluster:
        raise errors.WrongUse("init.context-without-cluster")
    if not again:
        looked = _looked(root, kube_context, from_cluster=from_cluster)
        if looked is not None:
            answers = adopting.Answers(
                repository, one_cluster=one_cluster, language=language or "en", ask=not yes
            )
            adopting.run(session.narration, root, looked, answers, output)
            return
    changes = init.init(
        root, repository=repository, language=language, one_cluster=one_cluster, force=force
    )
    if again:
        file_changes.explain(session.narration, changes, output)
    else:
        file_changes.show(session.narration, changes, output)
        session.narration.succeed(wording.Text("init.done", {"folder": str(root)}))


def _looked(root: Path, context: str | None, *, from_cluster: bool) -> adopt.Looked | None:
    from hanbae.actions import adopt, init

    deployed = loops.run(adopt.live(context)) if from_cluster else ()
    looked = adopt.look(root, origin=init.remote_url(root), deployed=deployed)
    return None if looked is None else loops.run(adopt.completed(root, looked))
