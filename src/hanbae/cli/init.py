"""``hanbae init``."""

from __future__ import annotations

import click

from hanbae import wording
from hanbae.cli import options
from hanbae.cli.text import catalogue


@click.command(
    cls=options.Command,
    help="""\
Write hanbae.yaml and the k8s folder: the policy, and the namespaces with an overlay per environment.

Run again, it writes what is missing, says which files are not what hanbae.yaml asks for, and never overwrites them.""",
    epilog="""\
Examples:
  hanbae init --repository https://git.example.com/shop.git
  hanbae init --one-cluster --language ko
  kubectl apply -k k8s/overlays/dev""",
)
@click.option(
    "--repository",
    metavar="URL",
    help="The repository as Argo CD fetches it; by default the URL of the git remote origin.",
)
@click.option(
    "--language",
    type=click.Choice(catalogue.LANGUAGES),
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
    output: str,
) -> None:
    """Scaffold the repository around the folder."""
    from hanbae import errors
    from hanbae.actions import init
    from hanbae.cli.text import file_changes
    from hanbae.policy import loading

    root = session.directory
    try:
        root = loading.find(root).parent
    except errors.WrongUse:  # the usual case: this is going to be the root
        spoken = context.find_root().params.get("lang")
        language = language or catalogue.preferred(spoken, root)
    again = (root / loading.NAME).exists()
    changes = init.init(
        root, repository=repository, language=language, one_cluster=one_cluster, force=force
    )
    if again:
        file_changes.explain(session.narration, changes, output)
    else:
        file_changes.show(session.narration, changes, output)
        session.narration.done(wording.Text("init.done", {"folder": str(root)}))
