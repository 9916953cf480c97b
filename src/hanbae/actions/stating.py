"""A rule's hit as a finding, where it was not met by running the rules over files: in git's history, in a cluster."""

from __future__ import annotations

from hanbae import subjects
from hanbae.results import findings
from hanbae.rules import rulebook


def finding(
    code: str, hit: rulebook.Hit, *, service: str = "", environment: str = ""
) -> findings.Finding:
    """The finding.

    Args:
        code: The rule's code.
        hit: What was found, at a place in a file.
        service: The service; empty for the whole repository.
        environment: The environment; empty where it depends on none.
    """
    assert isinstance(hit.at, subjects.Place)  # noqa: S101  nothing is rendered here
    rule = rulebook.rules()[code]
    return findings.Finding(
        code,
        hit.severity or rule.severity,
        hit.at,
        rule.text(f"found-{hit.variant}", hit.facts),
        "exact" if hit.at.line else "file",
        service,
        (environment,) if environment else (),
        fix=rule.text("fix", hit.facts),
    )
