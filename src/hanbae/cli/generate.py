"""``hanbae generate``: files that follow from the policy and are never edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hanbae import errors, loops, wording
from hanbae.cli import options

if TYPE_CHECKING:
    from hanbae.results import files


_check = click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit with 1 when a file is not what the policy asks for.",
)
"""What every command here has that writes files: to look only."""


def _show(
    session: options.Session,
    changes: Sequence[files.FileChange],
    output: str,
    *,
    text_id: str,
    nothing: wording.Text | None = None,
) -> int:
    """Show what became of the files; the exit code.

    Args:
        session: The session.
        changes: What became of them.
        output: ``text`` or ``json``.
        text_id: What is said of files that are not fresh.
        nothing: Why there are no files, where there are none.
    """
    from hanbae.cli.reports import file_changes

    file_changes.show(session.narration, changes, output)
    count = sum(change.outcome == "stale" for change in changes)
    if count:
        session.narration.fail(wording.Text(text_id, {"count": str(count)}))
        return 1
    if any(change.outcome == "kept" for change in changes):
        return 1  # what is left for a person to do was said
    if not changes:
        session.narration.note(nothing or wording.Text("generate.nothing"))
        return 0
    session.narration.succeed(wording.Text("generate.fresh", {"count": str(len(changes))}))
    return 0


class _OutputName(click.ParamType[str]):
    """A key of :data:`hanbae.cli.json_schemas.OUTPUTS`, which is imported only when one is named."""

    name = "command"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, where there is such an output."""
        from hanbae.cli import json_schemas

        names = [*json_schemas.OUTPUTS, *json_schemas.LINES]
        name = str(value).replace(" ", "-")
        if name not in names:
            raise errors.WrongUse("generate.no-output", command=name, known=", ".join(names))
        return name

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The names."""
        from hanbae.cli import json_schemas

        names = [*json_schemas.OUTPUTS, *json_schemas.LINES]
        return [
            click.shell_completion.CompletionItem(name)
            for name in names
            if name.startswith(incomplete)
        ]


@click.group(cls=options.Group, help="Write files that follow from the policy.")
def command() -> None:
    """Group what can be generated."""


@command.command(
    "argocd",
    help="Write an AppProject and an ApplicationSet per environment into k8s/argocd.",
    epilog="""\
Examples:
  hanbae generate argocd
  hanbae generate argocd --env dev
  hanbae generate argocd --check
  kubectl apply -k k8s/argocd/dev""",
)
@options.environment(required=False)
@_check
@options.output("text", "json")
@options.session
def argocd(session: options.Session, environment: str | None, check: bool, output: str) -> int:
    """Write what Argo CD is told."""
    from hanbae.actions import generate_argocd

    names = (environment,) if environment else ()
    changes = generate_argocd.generate_argocd(session.directory, environments=names, check=check)
    return _show(
        session,
        changes,
        output,
        text_id="generate.stale",
        nothing=wording.Text("generate.no-argocd"),
    )


@command.command(
    "rbac",
    help="Write the identity that deploys, its Roles and its admission policies into k8s/rbac.",
    epilog="""\
Examples:
  hanbae generate rbac --env dev
  hanbae generate rbac --env production --group deployers
  hanbae generate rbac --env production --sealers shop-sealers
  hanbae generate rbac --check
  kubectl apply -k k8s/rbac/dev
  kubectl create token hanbae-deployer -n hanbae-services-dev --duration 1h""",
)
@options.environment(required=False)
@click.option(
    "--group",
    "groups",
    metavar="NAME",
    multiple=True,
    help="Group of the cluster's users that may deploy as well; may be repeated.",
)
@click.option(
    "--sealers",
    metavar="NAME",
    multiple=True,
    help="Group that may ask the Sealed Secrets controller, and only it: written into k8s/sealing.",
)
@_check
@options.output("text", "json")
@options.session
def rbac(
    session: options.Session,
    *,
    environment: str | None,
    groups: tuple[str, ...],
    sealers: tuple[str, ...],
    check: bool,
    output: str,
) -> int:
    """Write who deploys, and what it may do."""
    from hanbae.actions import generate_rbac

    names = (environment,) if environment else ()
    broken: list[errors.FileFault] = []
    access: tuple[files.FileChange, ...] = ()
    if sealers:
        access = generate_rbac.generate_sealing(
            session.directory, environments=names, sealers=sealers, check=check
        )
    changes = loops.run(
        generate_rbac.generate_rbac(
            session.directory, environments=names, groups=groups, check=check, broken=broken
        )
    )
    if broken and not changes:
        raise broken[0]
    changes += access
    code = _show(session, changes, output, text_id="rbac.stale")
    session.narration.faults(broken)
    return 2 if broken else code


@command.command(
    "admission",
    help="Write the policy's own rules as admission policies into k8s/admission.",
    epilog="""\
Examples:
  hanbae generate admission
  hanbae generate admission --env production --check
  kubectl apply -k k8s/admission/production""",
)
@options.environment(required=False)
@_check
@options.output("text", "json")
@options.session
def admission(session: options.Session, environment: str | None, check: bool, output: str) -> int:
    """Write what the cluster refuses."""
    from hanbae.actions import generate_admission

    names = (environment,) if environment else ()
    changes = generate_admission.generate_admission(
        session.directory, environments=names, check=check
    )
    nothing = wording.Text("generate.no-rules-anywhere")
    if environment is not None:
        nothing = wording.Text("generate.no-rules", {"environment": environment})
    return _show(session, changes, output, text_id="admission.stale", nothing=nothing)


@command.command(
    "namespaces",
    help="""\
Bring the namespaces, their limits and the overlays in k8s in line with hanbae.yaml.

Only what the policy decides is changed; limits, labels and resources of your own stay. Run it after editing
namespaces, environments or services in hanbae.yaml.""",
    epilog="""\
Examples:
  hanbae generate namespaces
  hanbae generate namespaces --check
  kubectl apply -k k8s/overlays/dev""",
)
@options.environment(required=False)
@_check
@options.output("text", "json")
@options.session
def namespaces(session: options.Session, environment: str | None, check: bool, output: str) -> int:
    """Write the namespaces and the overlays."""
    from hanbae.actions import generate_namespaces

    names = (environment,) if environment else ()
    changes = generate_namespaces.generate_namespaces(
        session.directory, environments=names, check=check
    )
    return _show(session, changes, output, text_id="namespaces.stale")


@command.command(
    "docs",
    help="""\
Write the policy as documents: in Korean and English, and the terse reference docs/llm/policies/DEPLOYMENT.md.

They say what hanbae.yaml decides with the names that the services really have. A document that hanbae did not write
is left as it is.""",
    epilog="""\
Examples:
  hanbae generate docs
  hanbae generate docs --check
  hanbae generate docs --check --output json""",
)
@_check
@options.output("text", "json")
@options.session
def docs(session: options.Session, check: bool, output: str) -> int:
    """Write the documents."""
    from hanbae.actions import generate_docs

    changes = loops.run(generate_docs.generate_docs(session.directory, check=check))
    return _show(session, changes, output, text_id="documents.stale")


@command.command(
    "compose",
    help="""\
Write compose.yaml: the local environment, from the charts and the policy.

The services, servers and migrations that the charts of the first environment make, in their order. Secrets are not in
it: `hanbae local up` writes them below .hanbae, which git ignores. With --check, a Compose file, whoever wrote it, is
compared with the charts as well.""",
    epilog="""\
Examples:
  hanbae generate compose
  hanbae generate compose --check
  hanbae local up""",
)
@_check
@options.output("text", "json")
@options.session
def compose(session: options.Session, check: bool, output: str) -> int:
    """Write the local environment."""
    from hanbae.actions import generate_compose
    from hanbae.cli.text import parity_lines

    changes, local = loops.run(generate_compose.generate_compose(session.directory, check=check))
    code = _show(session, changes, output, text_id="local.stale")
    if not check:
        parity_lines.gaps(session.narration, local.composition.gaps)
        return code
    # Stale without a difference means that the file is missing: there is nothing to compare.
    if not any(change.outcome == "stale" and not change.diff for change in changes):
        parity = generate_compose.compare(local)
        parity_lines.tell(session.narration, parity)
        code = code or bool(parity.differences)
    return code


@command.command(
    "gateways",
    help="Write into the overlays how services are reached: a Gateway with HTTPRoutes, or Ingresses.",
    epilog="""\
Examples:
  hanbae generate gateways
  hanbae generate gateways --env staging --check
  hanbae overlay plan staging""",
)
@options.environment(required=False)
@_check
@options.output("text", "json")
@options.session
def gateways(session: options.Session, environment: str | None, check: bool, output: str) -> int:
    """Write the routes."""
    from hanbae.actions import generate_gateways

    names = (environment,) if environment else ()
    changes = generate_gateways.generate_gateways(
        session.directory, environments=names, check=check
    )
    nothing = wording.Text("generate.no-domains-anywhere")
    if environment is not None:
        nothing = wording.Text("generate.no-domains", {"environment": environment})
    return _show(session, changes, output, text_id="gateway.stale", nothing=nothing)


@command.command(
    "runner",
    help="Write the sources of hanbae-migrate into tools/hanbae-migrate, where Dockerfiles build it.",
    epilog="""\
Examples:
  hanbae generate runner
  hanbae generate runner --check
  hanbae upgrade""",
)
@_check
@options.output("text", "json")
@options.session
def runner(session: options.Session, check: bool, output: str) -> int:
    """Write the runner of migrations."""
    from hanbae.actions import generate_runner

    changes = generate_runner.generate_runner(session.directory, check=check)
    return _show(session, changes, output, text_id="generate.runner-stale")


@command.command(
    "schema",
    help="""\
Write a JSON Schema to standard output: of hanbae.yaml, for editors, or of what a command writes.

With --write, the schema goes into hanbae.schema.json beside hanbae.yaml, and a line that editors read on top of that.
With --output-of, it is of a command's --output json; `error` is what every command writes when it fails, and `event`
is a line of --output jsonl.""",
    epilog="""\
Examples:
  hanbae generate schema --write
  hanbae generate schema --check
  hanbae generate schema > hanbae.schema.json
  hanbae generate schema --output-of deploy""",
)
@click.option(
    "--output-of",
    metavar="COMMAND",
    type=_OutputName(),
    help="Command whose output is described, such as deploy or history-list.",
)
@click.option("--write", is_flag=True, help="Write the file beside hanbae.yaml, for editors.")
@_check
@options.session
def schema(session: options.Session, output_of: str | None, write: bool, check: bool) -> int:
    """Write the schema."""
    from hanbae.cli import outputs

    if output_of is not None and (write or check):
        raise errors.WrongUse("generate.schema-of-output")
    if write or check:
        from hanbae.actions import generate_schema

        changes = generate_schema.generate_schema(session.directory, check=check)
        return _show(session, changes, "text", text_id="generate.schema-stale")
    if output_of is None:
        from hanbae.policy import schemas

        outputs.emit(schemas.text().rstrip("\n"))
    else:
        from hanbae.cli import json_schemas

        outputs.emit(json_schemas.text(output_of))
    return 0
