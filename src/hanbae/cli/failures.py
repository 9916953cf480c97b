"""Shows how a command failed: a sentence on stderr, and with ``--output json`` a document on stdout as well."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from hanbae import wording
from hanbae.cli.text import catalogue, narration, suggestions, wrapping

if TYPE_CHECKING:
    from hanbae import errors, subjects

_JSON: Final = frozenset({"json", "jsonl"})
TAKING_A_WORD: Final = frozenset({"--lang", "-C", "--directory", "--color"})
"""The options before the command whose value may be the next word; `hanbae.cli.main` has them."""
_DEEPEST: Final = 3
"""Words of the longest command, such as `secrets backup verify`."""


def usage(error: click.ClickException, arguments: Sequence[str]) -> None:
    """Show wrong use that click found.

    Args:
        error: What click raised.
        arguments: The command line, which says whether JSON is expected.
    """
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show(file=sys.stderr)
        return
    from hanbae.cli import usage_errors

    context = getattr(error, "ctx", None)
    if context is not None:
        command = f"{context.command_path} {max(context.help_option_names, key=len)}"
        hint = catalogue.words("Try '{command} {option}' for help.")
        command, _, option = command.rpartition(" ")
        speaker = narration.Narration()
        speaker.line(context.get_usage())
        for line in wrapping.paragraph(hint.format(command=command, option=option), speaker.width):
            speaker.line(line)
        speaker.line("")
    _show(usage_errors.text(error), None, arguments)


def expected(error: errors.Error, arguments: Sequence[str]) -> None:
    """Show one of hanbae's own errors."""
    _show(error.text, error.place, arguments, others=error.texts[1:])
    if error.hint is not None:
        narration.Narration().note(error.hint)


def interrupted(arguments: Sequence[str]) -> None:
    """Say in JSON, where that is expected, that the command was interrupted; a person knows."""
    text = wording.Text("main.interrupted")
    _document(text, None, catalogue.sentence(text), "", arguments)


def bug(error: Exception, arguments: Sequence[str]) -> None:
    """Keep the traceback in a file that only the user can read, and say how to report it."""
    import tempfile
    import traceback

    from hanbae import masking

    handle, path = tempfile.mkstemp(prefix="hanbae-bug-", suffix=".log")
    with os.fdopen(handle, "w") as file:
        file.write(masking.Redactor()("".join(traceback.format_exception(error))))
    text = wording.Text("main.bug", {"error": type(error).__name__, "log": path})
    _document(text, None, catalogue.sentence(text), "", arguments)
    narration.Narration().fail(text)


def output_format(arguments: Sequence[str]) -> str:
    """The format that standard output is to have, by the command line or the environment; empty where neither says."""
    # Read by hand, because it is asked also where click could not parse the command line.
    words: list[str] = []
    outputs: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            break
        if argument in {"-o", "--output"}:
            outputs.append(next(remaining, ""))
        elif argument.startswith("--output="):
            outputs.append(argument.removeprefix("--output="))
        elif argument.startswith("-o"):
            outputs.append(argument.removeprefix("-o"))
        elif not words and argument in TAKING_A_WORD:
            next(remaining, "")
        elif not argument.startswith("-"):
            words.append(argument)
    # The last one counts, as for click, and the variable only where there is none.
    if outputs:
        return _on_standard_output(outputs)
    # The names that click gives them (auto_envvar_prefix), such as HANBAE_CHECK_OUTPUT and
    # HANBAE_HISTORY_LIST_OUTPUT. Which of the words belong to the command is not known here, so all
    # that may are tried.
    variables = (
        "_".join(("HANBAE", *words[:length], "OUTPUT")).upper().replace("-", "_")
        for length in range(1, _DEEPEST + 1)
    )
    variable = next(filter(None, map(os.environ.get, variables)), "")
    return _on_standard_output(variable.split())


def _on_standard_output(outputs: Sequence[str]) -> str:
    """Which of several outputs standard output has: that of ``check`` may name files, as in ``sarif=report.sarif``."""
    return next((output for output in reversed(outputs) if "=" not in output), "")


def _show(
    text: wording.Text,
    place: subjects.Place | None,
    arguments: Sequence[str],
    *,
    others: Sequence[wording.Text] = (),
) -> None:
    near = suggestions.of_text(text.id, text.facts)
    message = catalogue.sentence(text)
    if place:
        message = f"{catalogue.printable(str(place))}: {message}"
    if near:
        message += " " + catalogue.sentence(wording.Text("main.did-you-mean", {"name": near}))
    _document(text, place, message, near, arguments, others=others)
    narration.Narration().error(message)


def _document(
    text: wording.Text,
    place: subjects.Place | None,
    message: str,
    suggestion: str,
    arguments: Sequence[str],
    *,
    others: Sequence[wording.Text] = (),
) -> None:
    """Write the document of an error where JSON is expected; among lines it is one."""
    output = output_format(arguments)
    if output not in _JSON:
        return
    from hanbae.cli import outputs

    error: dict[str, Any] = {"text": text, "message": message}
    if place:
        error["place"] = place
    if suggestion:
        error["suggestion"] = suggestion
    further = [{"text": other, "message": catalogue.sentence(other)} for other in others]
    document = {"error": error, "errors": [error, *further]}
    if output == "jsonl":
        outputs.emit_jsonl({"format": outputs.FORMAT, **document})
    else:
        outputs.emit_json(document)
