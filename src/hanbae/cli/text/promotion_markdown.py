"""A promotion as the text of a merge request, and its plan as a comment."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.cli.text import catalogue, escaping, plan_markdown, promotion_words
from hanbae.promoting import sending
from hanbae.results import promotions

# GitLab and Gitea take at most 255 characters.
_LONGEST_TITLE = 200


def words(promotion: promotions.Promotion) -> sending.Words:
    """All that is said of a promotion."""
    return sending.Words(
        escaping.plain(promotion_words.title(promotion))[:_LONGEST_TITLE],
        body(promotion),
        f"{sending.MARK}\n{plan_markdown.compared(promotion.comparison)}",
        promotion_words.statuses(promotion),
    )


def body(promotion: promotions.Promotion) -> str:
    """The text of the merge request, cut where a forge would refuse it."""
    lines: list[str] = []
    room = plan_markdown.LARGEST
    for line in _lines(promotion):
        room -= len(line) + 1
        if room < 0:
            lines += ["", "…"]
            break
        lines.append(line)
    return "\n".join(lines)


def _lines(promotion: promotions.Promotion) -> Iterator[str]:
    yield escaping.markdown(promotion_words.summary(promotion))
    for section in promotion_words.sections(promotion):
        yield ""
        yield f"### {escaping.markdown(section.title)}"
        yield ""
        for depth, sentence in section.sentences:
            yield f"{'  ' * depth}- {escaping.markdown(sentence)}"
    yield ""
    yield "---"
    yield escaping.markdown(catalogue.words("promotion.afterwards"))
    yield f"`hanbae deploy --env {promotion.target}`"
