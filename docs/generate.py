"""``./dev docs``: writes the references that come from the code; ``--check`` only says whether they are fresh."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from hanbae.cli import main
from hanbae.cli.text import catalogue

REFERENCE = Path(__file__).parent / "reference"
TITLES = {"en": "Commands", "ko": "명령"}


def commands(language: str) -> str:
    """The help of every command, as the terminal shows it at 100 columns."""
    catalogue.speak(language)
    parts = [f"# {TITLES[language]}\n"]
    for path, command, context in _walk(main.front, _front()):
        parts.append(f"## `{path}`\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _front() -> click.Context:
    return main.front.context_class(main.front, info_name="hanbae", **main.front.context_settings)


def _walk(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    context.terminal_width = 100
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _walk(child, child.context_class(child, info_name=name, parent=context))


def documents() -> dict[Path, str]:
    """Every generated document and what it should hold."""
    import policy_page

    from hanbae.cli.reports import rule_pages
    from hanbae.policy import schemas

    schema = schemas.schema()
    return {
        REFERENCE / "commands.md": commands("en"),
        REFERENCE / "commands.ko.md": commands("ko"),
        REFERENCE / "rules.md": rule_pages.reference("en"),
        REFERENCE / "rules.ko.md": rule_pages.reference("ko"),
        REFERENCE / "policy.md": policy_page.page(schema),
        REFERENCE / "policy.ko.md": policy_page.page(schema, policy_page.korean()),
        REFERENCE / "hanbae.schema.json": schemas.text(),
    }


def stale() -> dict[Path, str]:
    """The documents that are not as the code would write them, and what they should hold."""
    return {
        path: text
        for path, text in documents().items()
        if not path.is_file() or path.read_text() != text
    }


def run(arguments: list[str]) -> int:
    """Write the documents, or name those that are stale."""
    outdated = stale()
    if "--check" in arguments:
        for path in outdated:
            sys.stderr.write(f"{path.name} is not fresh; run ./dev docs\n")
        return 1 if outdated else 0
    for path, text in outdated.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
