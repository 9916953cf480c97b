"""``hanbae check``: what is not within the policy, before anything is pushed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, outputs, reports

if TYPE_CHECKING:
    from hanbae.actions import check
    from hanbae.results import findings


Destination = tuple[str, str]
"""A format, and the file that it goes to; empty for standard output."""


class Output(click.ParamType[Destination]):
    """A format, or ``format=path`` for one that goes into a file."""

    name = "output"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Destination:
        """The format, and the path; empty for standard output."""
        # click's contract: a type must also accept values that are converted already.
        if isinstance(value, tuple):
            return value
        kind, equals, path = str(value).partition("=")
        if kind not in reports.FORMATS or (equals and not path):
            raise errors.WrongUse("check.no-format", format=kind, known=", ".join(reports.FORMATS))
        return kind, path

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The formats."""
        names = (name for name in reports.FORMATS if name.startswith(incomplete))
        return [click.shell_completion.CompletionItem(name) for name in names]


def _codes(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The codes of the rules, for the shell."""
    from hanbae.rules import rulebook

    return [code for code in rulebook.rules() if code.startswith(incomplete.upper())]


@click.command(
    cls=options.Command,
    help="""\
Check services in every environment against the policy, without a cluster.

Renders each chart as Argo CD would and looks at the files as git has them; without SERVICE, at all of them.
A finding that is meant gets a comment on its line or the line above: # hanbae: ignore CODE reason""",
    epilog="""\
Examples:
  hanbae check
  hanbae check auth identity --env production
  hanbae check --changed-since origin/main --policy-from origin/main
  hanbae check --output text --output sarif=hanbae.sarif
  hanbae check --fix --diff
  hanbae check --live --env production
  hanbae check --history --since v1.0.0
  hanbae check --explain ARG001""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@click.option("--revision", metavar="REV", help="Check a commit instead of the working tree.")
@click.option(
    "--changed-since",
    metavar="REV",
    help="Check only services that were touched since a commit, by what they share as well.",
)
@click.option(
    "--policy-from",
    metavar="REV",
    help="Take policy, baseline and ignore comments from a commit, so that a branch cannot exempt itself.",
)
@click.option(
    "--fail-on",
    type=options.Choice((*reports.SEVERITIES, "never")),
    default="error",
    show_default=True,
    help="Least severity that ends with exit code 1.",
)
@click.option("--fix", is_flag=True, help="Mend what a rule is sure of, and check again.")
@click.option("--diff", is_flag=True, help="With --fix: show the changes and write nothing.")
@click.option(
    "--write-baseline",
    is_flag=True,
    help="Accept all findings as they are now, in hanbae-baseline.json.",
)
@click.option(
    "--show-accepted", is_flag=True, help="Show what comments and the baseline accept, too."
)
@click.option(
    "--all/--summary",
    "everything",
    default=None,
    help="Show each of many findings, or what there is by rule; by default the latter on a terminal.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Look at the clusters as well: their Applications, what they serve, and what was deployed last.",
)
@options.context()
@click.option(
    "--history",
    is_flag=True,
    help="Search all former commits of the branch for plaintext secrets as well.",
)
@click.option(
    "--since", metavar="REV", help="With --history: search only what came after a commit."
)
@click.option("--rules", "listing", is_flag=True, help="List the rules.")
@click.option(
    "--explain", metavar="CODE", shell_complete=_codes, help="Explain a rule, with its examples."
)
@click.option(
    "-o",
    "--output",
    "destinations",
    type=Output(),
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="text, json, sarif, junit, github or markdown; may be given several times.",
)
@options.cache
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    revision: str | None,
    changed_since: str | None,
    policy_from: str | None,
    fail_on: reports.Threshold,
    fix: bool,
    diff: bool,
    write_baseline: bool,
    show_accepted: bool,
    everything: bool | None,
    live: bool,
    kube_context: str | None,
    history: bool,
    since: str | None,
    listing: bool,
    explain: str | None,
    destinations: tuple[Destination, ...],
    cache: bool,
) -> int:
    """Check, or explain rules."""
    destinations = destinations or (("text", ""),)
    if explain or listing:
        return _describe_rules(explain, destinations)
    narrowed = any((services, environment, revision, changed_since, policy_from))
    contradictions = {
        "check.one-output": sum(not path for _, path in destinations) > 1,
        "check.diff-without-fix": diff and not fix,
        "check.fix-needs-files": fix and revision is not None,
        "check.context-without-live": kube_context is not None and not live,
        "check.since-without-history": since is not None and not history,
        "check.baseline-needs-all": write_baseline and (fix or narrowed),
    }
    for text_id, contradicts in contradictions.items():
        if contradicts:
            raise errors.WrongUse(text_id)

    from hanbae.actions import check
    from hanbae.checking import beyond_files

    request = check.Request(
        services,
        environment,
        revision,
        policy_from,
        changed_since,
        baseline=not write_baseline,
        history=beyond_files.History(since) if history else None,
        live=beyond_files.Live(kube_context) if live else None,
    )
    result = _run(session, request, cache=cache)
    if write_baseline:
        return _write_baseline(session, result)
    if fix:
        changed = _fix(session, result.findings, write=not diff)
        if changed and not diff:
            result = _run(session, request, cache=cache)
    overview = sys.stdout.isatty() if everything is None else not everything
    report = _for_terminal(result, fail_on, accepted=show_accepted, overview=overview)
    return _report(session, report, destinations)


def _run(session: options.Session, request: check.Request, *, cache: bool) -> check.Result:
    from hanbae.actions import check
    from hanbae.cli.reports import summary
    from hanbae.repository import keeping

    results = keeping.opened() if cache else None

    with summary.Progress(session.narration) as progress:
        checking = check.check(session.directory, request, progress=progress.tell, cache=results)
        return loops.run(checking)


def _report(
    session: options.Session, report: reports.Report, destinations: Sequence[Destination]
) -> int:
    """Write the report to each destination, and its summary for the person; the exit code."""
    for kind, path in destinations:
        text = reports.written(report if not path else _for_file(report), kind)
        if path:
            outputs.save(Path(path), text)
        elif text:
            outputs.emit(text.removesuffix("\n"))
    from hanbae.cli.reports import summary

    summary.tell(session.narration, report, by_rule=_is_by_rule(report, destinations))
    return 1 if report.failed else 0


def _is_by_rule(report: reports.Report, destinations: Sequence[Destination]) -> bool:
    """Whether the person was shown what there is by rule instead of each finding."""
    is_printed = ("text", "") in destinations
    return report.overview and is_printed and len(report.result.findings) > reports.FEW


def _for_terminal(
    result: check.Result, fail_on: reports.Threshold, *, accepted: bool, overview: bool
) -> reports.Report:
    color_option = click.get_current_context().color
    color = sys.stdout.isatty() if color_option is None else color_option
    return reports.Report(
        result, fail_on, accepted=accepted, width=_width(), color=color, overview=overview
    )


def _for_file(report: reports.Report) -> reports.Report:
    import msgspec

    return msgspec.structs.replace(
        report, width=reports.FALLBACK_WIDTH, color=False, overview=False
    )


def _width() -> int:
    return shutil.get_terminal_size((reports.FALLBACK_WIDTH, 24)).columns


def _write_baseline(session: options.Session, result: check.Result) -> int:
    from hanbae.checking import acceptance, baselines
    from hanbae.policy import loading

    # Of the check's own codes only the first can be accepted: a baseline has no effect on the others.
    accepted = [finding for finding in result.findings if finding.code not in acceptance.OWN[1:]]
    path = loading.find(session.directory).parent / baselines.NAME
    outputs.save(path, baselines.text(baselines.of(accepted)).decode())
    facts = {"file": baselines.NAME, "count": str(len(accepted))}
    session.narration.succeed(wording.Text("check.baseline-written", facts))
    return 0


def _fix(session: options.Session, to_mend: tuple[findings.Finding, ...], *, write: bool) -> bool:
    """Mend what can be mended and narrate the outcome; whether a file changed."""
    from hanbae.actions import fix
    from hanbae.cli.reports import summary
    from hanbae.policy import loading

    root = loading.find(session.directory).parent
    fixed = fix.fix(root, to_mend, write=write)
    summary.tell_fixed(session.narration, fixed, written=write)
    return bool(fixed.changes)


def _describe_rules(code: str | None, destinations: Sequence[Destination]) -> int:
    """Rules rather than findings."""
    from hanbae.cli.reports import rule_pages
    from hanbae.rules import rulebook

    rules = rulebook.rules()
    if code is not None and code.upper() not in rules:
        raise errors.WrongUse("check.no-rule", code=code, known=", ".join(rules))
    ((kind, path), *others) = destinations
    if kind not in {"text", "json"} or others or path:
        raise errors.WrongUse("check.rules-are-text")
    selected = [rules[code.upper()]] if code is not None else list(rules.values())
    if kind == "json":
        described = [rule_pages.described(rule) for rule in selected]
        outputs.emit_json(described[0] if code is not None else {"rules": described})
    elif code is not None:
        outputs.emit(rule_pages.explained(selected[0], _width()).removesuffix("\n"))
    else:
        outputs.emit(rule_pages.listed(_width()).removesuffix("\n"))
    return 0
