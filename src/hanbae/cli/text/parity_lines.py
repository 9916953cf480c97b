"""How a Compose file compares with the charts, in lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hanbae import wording
from hanbae.cli.text import catalogue, wrapping

if TYPE_CHECKING:
    from hanbae.cli.text import narration
    from hanbae.results import compositions


def tell(speaker: narration.Narration, parity: compositions.Parity) -> None:
    """Say what differs and what is not translated; that nothing differs, where that is so."""
    if parity.unread:
        speaker.warn(wording.Text("local.unread", {"path": parity.unread}))
    for difference in parity.differences:
        _line(speaker, "✘ ", difference.service, difference.text)
    gaps(speaker, parity.gaps)
    facts = {
        "files": ", ".join(parity.files),
        "environment": parity.environment,
        "count": str(len(parity.differences)),
        "services": str(len(parity.services)),
    }
    if parity.differences:
        speaker.fail(wording.Text("local.differs", facts))
    else:
        speaker.succeed(wording.Text("local.equal", facts))


def gaps(speaker: narration.Narration, entries: Sequence[compositions.Gap]) -> None:
    """Say what of the charts is not in Compose; what is the same for several services, once."""
    by_text: dict[str, list[str]] = {}
    for gap in entries:
        holders = by_text.setdefault(catalogue.sentence(gap.text), [])
        if gap.service not in holders:
            holders.append(gap.service)
    for sentence, holders in by_text.items():
        for line in wrapping.paragraph(
            f"{', '.join(map(catalogue.printable, holders))}: {sentence}",
            speaker.width,
            head="! ",
            indent="  ",
        ):
            speaker.line(line)


def _line(speaker: narration.Narration, mark: str, service: str, text: wording.Text) -> None:
    sentence = f"{catalogue.printable(service)}: {catalogue.sentence(text)}"
    for line in wrapping.paragraph(sentence, speaker.width, head=mark, indent="  "):
        speaker.line(line)
