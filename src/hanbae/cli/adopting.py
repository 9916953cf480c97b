"""``hanbae init`` in a repository that has something already: what there is, what is asked, and what comes next."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from hanbae import loops, wording
from hanbae.cli.reports import file_changes
from hanbae.cli.text import escaping, narration

if TYPE_CHECKING:
    from hanbae.actions import adopt
    from hanbae.adopting import proposal, survey

_MOST: Final = 6
"""Names that are listed on a line."""


class Answers(Struct, frozen=True):
    """What the command line has answered already.

    Attributes:
        repository: URL of the repository; None where nobody stated it.
        one_cluster: Whether all environments share a cluster.
        language: Language of the policy.
        ask: Whether a person may be asked.
    """

    repository: str | None
    one_cluster: bool
    language: str
    ask: bool


def run(
    speaker: narration.Narration,
    root: Path,
    looked: adopt.Looked,
    answers: Answers,
    output: str,
) -> None:
    """Say what there is, ask what it does not say, write the policy and say what comes next.

    Args:
        speaker: Speaks to the person.
        root: The repository's top folder.
        looked: What there is.
        answers: What the command line has answered.
        output: ``text`` or ``json``.
    """
    from hanbae.actions import adopt

    speaker.step(wording.Text("adopt.looked", {"folder": str(root)}))
    for line in _lines(looked.survey, looked.proposal):
        speaker.note(line)
    asks = answers.ask and sys.stdin.isatty()
    decided = adopt.Decided(answers.repository, one_cluster=answers.one_cluster)
    if asks:
        from hanbae.cli import asking

        looked = loops.run(adopt.apply(root, looked, asking.first(looked)))
        decided = asking.rest(looked.proposal, answers.repository, one_cluster=answers.one_cluster)
    proposed = adopt.settled(looked.proposal, decided)
    changes = adopt.write(root, proposed, answers.language)
    file_changes.show(speaker, changes, output)
    guesses = len(proposed.guesses) + sum(len(item.guessed) for item in proposed.environments)
    sure = wording.Text("adopt.done-sure")
    speaker.succeed(wording.Text("adopt.done", {"count": str(guesses)}) if guesses else sure)
    _say_next(speaker, proposed)


def _say_next(speaker: narration.Narration, proposed: proposal.Proposal) -> None:
    """The next three commands."""
    service = next(iter(proposed.services), "")
    environment = proposed.environments[0].name
    speaker.note(wording.Text("adopt.next"))
    speaker.line("    hanbae check")
    if service:
        for command in ("render", "plan"):
            words = escaping.plain(f"hanbae {command} {service} --env {environment}")
            speaker.line(f"    {words}")


def _lines(present: survey.Survey, proposed: proposal.Proposal) -> Iterator[wording.Text]:
    """What there is, in at most ten lines."""
    services = list(proposed.services)
    places = (
        *proposed.paths,
        *(str(keys["path"]) for keys in proposed.named.values() if "path" in keys),
    )
    yield _line("adopt.charts", present.charts, _names(dict.fromkeys(places)) or "-")
    yield _line("adopt.services", services, _names(services) or "-")
    if proposed.left_out or proposed.exclude:
        others = (*proposed.exclude, *proposed.left_out)
        yield _line("adopt.others", others, _names(others))
    environments = [item.name for item in proposed.environments]
    files = _names(proposed.values) or "-"
    yield wording.Text("adopt.environments", {"names": _names(environments), "files": files})
    if proposed.databases:
        yield _line("adopt.databases", proposed.databases, _names(proposed.databases))
    if present.applications or present.foreign or present.application_sets:
        facts = {"count": str(len(present.applications)), "others": str(present.foreign)}
        facts["sets"] = str(present.application_sets)
        yield wording.Text("adopt.applications", facts)
    if present.kustomizations or present.folders:
        facts = {"count": str(present.kustomizations), "overlays": str(len(present.overlays))}
        facts["folders"] = str(len(present.folders))
        yield wording.Text("adopt.kustomizations", facts)
    if present.branches:
        yield _line("adopt.branches", present.branches, _names(present.branches))
    facts = {"dockerfiles": str(len(present.dockerfiles)), "sealed": str(present.sealed)}
    facts["ci"] = _names(present.ci) or "-"
    yield wording.Text("adopt.images", facts)
    if present.broken:
        yield wording.Text("adopt.broken", {"count": str(present.broken)})


def _line(text_id: str, items: Iterable[object], names: str) -> wording.Text:
    return wording.Text(text_id, {"count": str(len(list(items))), "names": names})


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    more = f", … (+{len(listed) - _MOST})" if len(listed) > _MOST else ""
    return escaping.plain(", ".join(listed[:_MOST]) + more)
