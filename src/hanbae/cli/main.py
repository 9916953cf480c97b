"""The front door: finds the command without importing the others, and turns every ending into an exit code.

| code | meaning |
|---|---|
| 0 | done |
| 1 | findings, or a gate or deployment failed |
| 2 | wrong use, or a fault in the user's files (file:line) |
| 3 | changes pending (`plan --exit-code`) |
| 4 | the environment cannot be reached |
| 5 | refused, nothing was changed |
| 70 | a bug of ours |
| 130 | Ctrl-C |
| 141 | whoever read the output went away before its end |
| 143 | SIGTERM |
"""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any, Final

import click

from hanbae import files
from hanbae.cli import completion, failures, interrupts, options, quitting
from hanbae.cli.text import catalogue, command_names, narration

_BUG: Final = 70
_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Front(options.Group):
    """A group that imports a command only when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """All commands, in the order of the policy document."""
        return list(command_names.COMMANDS)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by the sections of the policy document, in one column."""
        widest = max(map(len, command_names.COMMANDS))
        for title, names in command_names.SECTIONS.items():
            commands = [(name, self.get_command(context, name)) for name in names]
            with formatter.section(catalogue.words(title)):
                formatter.write_dl(
                    [
                        (name.ljust(widest), command.get_short_help_str())
                        for name, command in commands
                        if command is not None and not command.hidden
                    ]
                )

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import the one command that is asked for."""
        # The name is what somebody typed, and not every module of hanbae.cli is a command.
        if name not in command_names.COMMANDS:
            return None
        module = importlib.import_module(f"hanbae.cli.{name}")
        command: click.Command = module.command
        return command


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from hanbae import _version

        click.echo(f"hanbae {_version.version}")
        context.exit()


def _language(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        catalogue.speak(value)
    return value


@click.command(
    cls=Front,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "HANBAE",
        "max_content_width": 100,
    },
    help="Turn a written deployment policy into a working system: scaffold, check, seal, deploy, prove.",
    epilog="""\
Examples:
  hanbae init --repository https://git.example.com/shop.git
  hanbae new service auth
  hanbae deploy auth --env staging
  hanbae demo""",
)
@click.option(
    "--lang",
    type=options.Choice(catalogue.LANGUAGES),
    is_eager=True,
    callback=_language,
    help="Language of messages; else HANBAE_LANG, the locale, the policy's language.",
)
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Work as if started in this folder.",
)
@click.option(
    "--color",
    type=options.Choice(("auto", "always", "never")),
    default="auto",
    show_default=True,
    help="Colours: only on a terminal, always, or never.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and leave.",
)
@click.pass_context
def front(context: click.Context, lang: str | None, directory: Path, color: str) -> None:
    """Settle the language, the folder and the colours, then go on to the command."""
    directory = _resolved(directory)
    # Once more: only now, with `-C`, is it known which policy's language counts.
    catalogue.speak(catalogue.preferred(lang, directory))
    use_color = {"auto": None, "always": True, "never": False}[color]
    if use_color is None and "NO_COLOR" in os.environ:  # click does not know it
        use_color = False
    context.color = use_color
    speaker = narration.Narration(color=use_color)
    _say_warnings(context, speaker)
    context.obj = options.Session(directory, speaker)
    if context.invoked_subcommand is None:
        # By itself, click shows the help only where there is no argument at all, not for `--lang ko` alone.
        raise click.exceptions.NoArgsIsHelpError(context)


def _say_warnings(context: click.Context, speaker: narration.Narration) -> None:
    """Put our own warnings into words; those of libraries are for developers and stay as Python shows them."""
    showing = warnings.showwarning

    def show(message: Warning | str, *details: Any, **named: Any) -> None:
        from hanbae import wording

        if isinstance(message, wording.Warned):
            speaker.warn(message.text)
        else:
            showing(message, *details, **named)

    warnings.showwarning = show
    context.call_on_close(lambda: setattr(warnings, "showwarning", showing))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing here ends the process.

    Args:
        arguments: The words after ``hanbae``; None for the process's own.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # For the errors of a command line in which click does not get as far as `--lang`.
    catalogue.speak(catalogue.preferred(os.environ.get("HANBAE_LANG"), Path()))
    try:
        return _run(arguments)
    except (BrokenPipeError, SystemExit) as error:
        if completion.VARIABLE in os.environ and isinstance(error, SystemExit):
            return error.code if isinstance(error.code, int) else 0  # the shell was answered
        # The reader has gone (`hanbae … | head`), which click turns into SystemExit; writing the rest at exit
        # would only complain. What the command found out nobody was told, so 0 would say too much.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE


def _run(arguments: list[str]) -> int:
    try:
        ended = front.main(arguments, prog_name="hanbae", standalone_mode=False)
    except click.ClickException as error:
        failures.usage(error, arguments)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        return _interrupted(error, arguments)
    # A reader that has gone is not a bug; `run` answers it.
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  an expected failure, or the last resort: a bug of ours
        return _failed(error, arguments)
    return ended if isinstance(ended, int) else 0


def _interrupted(error: BaseException, arguments: list[str]) -> int:
    interrupts.let_go(error)
    failures.interrupted(arguments)
    return interrupts.INTERRUPTED


def _resolved(directory: Path) -> Path:
    """The folder's real path; the one that we were started in may be gone by now."""
    try:
        return directory.resolve()
    except OSError as error:
        from hanbae import errors

        reason = files.reason(error)
        raise errors.WrongUse("main.no-folder", reason=reason) from error


def _failed(error: Exception, arguments: list[str]) -> int:
    from hanbae import errors, subjects

    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        # What click writes by itself; a full disk is no bug of ours.
        error = errors.Failed("output.unwritable", reason=files.reason(error))
    elif isinstance(error, OSError) and _is_not_allowed(error):
        # A folder that this user may not enter can be anywhere on the way to a file.
        place = subjects.Place(_relative(os.fsdecode(error.filename)))
        error = errors.FileFault("placing.unwritable", place=place, reason=files.reason(error))

    if interrupts.caused(error):
        return _interrupted(error, arguments)
    if isinstance(error, errors.Error):
        failures.expected(error, arguments)
        return error.exit_code
    failures.bug(error, arguments)
    return _BUG


def _relative(file: str) -> str:
    """A file from the current folder, which may be gone by now."""
    try:
        return os.path.relpath(file)
    except OSError:
        return file


def _is_not_allowed(error: OSError) -> bool:
    """Whether it says of a file that this user may not have it: neither ours to mend nor ours to know beforehand."""
    return error.errno in _NOT_ALLOWED and isinstance(error.filename, (str, bytes))


def _complete_streams() -> None:
    """Give the process its three streams, able to write any text.

    Where a shell closed one (``2>&-``), Python has None for it, and the next file that is opened gets its number:
    what a child says on its standard error would then be written into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # The default, `strict`, refuses lone surrogates, which stand for the bytes of a file
            # name that is not UTF-8, and letters that the locale's encoding lacks.
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """The console script."""
    _complete_streams()
    with interrupts.terminable() as terminated:
        code = run()
    # On its own way out Python answers Ctrl-C with tracebacks.
    quitting.at_once()
    # What is left goes with the process: Python would look through all of it for cycles first.
    gc.disable()
    gc.freeze()
    # A command that leaves by KeyboardInterrupt at SIGTERM has ended as one that is terminated.
    sys.exit(interrupts.TERMINATED if terminated and code == interrupts.INTERRUPTED else code)
