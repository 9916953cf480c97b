"""A rollback as the text of a merge request that reverts git."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hanbae import wording
from hanbae.cli.text import catalogue, escaping
from hanbae.results import rollbacks

_SHORT = 12
# GitLab and Gitea take at most 255 characters.
_LONGEST_TITLE = 200
_MOST_FILES = 100


def words(
    going_back: rollbacks.Rollback, planned: Iterable[tuple[int, wording.Text]]
) -> tuple[str, str]:
    """The title and the text.

    Args:
        going_back: The rollback.
        planned: What the plan says, each with how far it is set in.
    """
    facts = {
        "service": going_back.service,
        "environment": going_back.environment,
        "present": going_back.present[:_SHORT],
        "revision": going_back.revision[:_SHORT],
    }
    lines = [
        *_lines(planned),
        "",
        "---",
        escaping.markdown(_sentence("rollback.offer-why", facts)),
        "",
    ]
    lines += [f"- {escaping.code(path)}" for path in going_back.files[:_MOST_FILES]]
    lines += ["", f"`hanbae deploy {going_back.service} --env {going_back.environment}`"]
    title = escaping.plain(_sentence("rollback.offer-title", facts))[:_LONGEST_TITLE]
    return title, "\n".join(lines)


def plan(going_back: rollbacks.Rollback, planned: Iterable[tuple[int, wording.Text]]) -> str:
    """A plan, or whether one could be made, for a comment on a merge request.

    Args:
        going_back: The rollback.
        planned: What the plan says, each with how far it is set in.
    """
    lines = list(_lines(planned))
    if going_back.is_foresight and not going_back.boundaries:
        facts = {"service": going_back.service, "environment": going_back.environment}
        facts |= {"present": going_back.present[:_SHORT], "revision": going_back.revision[:_SHORT]}
        lines += ["", escaping.markdown(_sentence("rollback.possible", facts))]
    return "\n".join(lines)


def _lines(planned: Iterable[tuple[int, wording.Text]]) -> Iterator[str]:
    (_, first), *rest = planned
    yield escaping.markdown(catalogue.sentence(first))
    yield ""
    for depth, text in rest:
        yield f"{'  ' * (depth - 1)}- {escaping.markdown(catalogue.sentence(text))}"


def _sentence(text_id: str, facts: dict[str, str]) -> str:
    return catalogue.sentence(wording.Text(text_id, facts))
