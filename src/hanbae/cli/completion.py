"""``hanbae completion``: the script with which a shell completes commands, options, services and environments."""

from __future__ import annotations

from typing import Final

import click

from hanbae.cli import options, outputs

VARIABLE: Final = "_HANBAE_COMPLETE"
"""Set by the script when the shell asks for completions; click reads it."""


@click.command(
    cls=options.Command,
    help="""\
Write the script with which a shell completes hanbae's command lines.

It completes commands, options, the services of the repository and the environments of the policy.""",
    epilog="""\
Examples:
  source <(hanbae completion bash)
  hanbae completion bash > ~/.local/share/bash-completion/completions/hanbae
  hanbae completion zsh > ~/.zfunc/_hanbae
  hanbae completion fish > ~/.config/fish/completions/hanbae.fish""",
)
@click.argument("shell", type=options.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Write the script."""
    from click import shell_completion

    kind = shell_completion.get_completion_class(shell)
    assert kind is not None  # noqa: S101  click has these three
    completer = kind(context.find_root().command, {}, "hanbae", VARIABLE)
    # Not completer.source(): of bash it runs the program first, only to see its version.
    outputs.emit((completer.source_template % completer.source_vars()).rstrip("\n"))
