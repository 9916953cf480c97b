"""The keys that are sealed, referred to and needed, as ``secrets list`` and its neighbours show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hanbae import errors, loops, wording
from hanbae.cli import nothing, options

if TYPE_CHECKING:
    from hanbae.results import reach, secrets

_WIDEST_KEY: Final = 44
"""Cells up to which the columns before a state are left free below them."""
_SHORT: Final = len("sha256:") + 16
"""Letters of a fingerprint that are enough to compare lines by eye; JSON has all of them."""


def show(
    session: options.Session,
    services: tuple[str, ...],
    environment: str | None,
    broken: list[errors.FileFault],
    output: str,
) -> None:
    """Show the keys that are sealed, referred to and needed; `broken` takes the faults of what cannot be read.

    Raises:
        errors.FileFault: Nothing can be read.
    """
    keys = read(session, services, environment, broken)
    if broken and not keys:
        raise broken[0]
    table(keys, output, broken=broken)
    session.narration.faults(broken)
    if not keys:
        nothing.tell(session, "seal.no-keys")


def read(
    session: options.Session,
    services: tuple[str, ...],
    environment: str | None,
    broken: list[errors.FileFault],
) -> tuple[secrets.SealedKey, ...]:
    """What values have sealed, and what the pods of rendered releases read."""
    from hanbae.actions import list_needed, list_secrets
    from hanbae.repository import services as repository_services

    sealed = list_secrets.list_secrets(
        session.directory, services, environment=environment, broken=broken
    )
    loaded = repository_services.opened(session.directory)
    # A value that cannot be a sealed one is in the list already; that the chart refuses it too says nothing new.
    malformed = {key.service for key in sealed if key.state == "malformed"}
    needed = loops.run(
        list_needed.list_needed(
            session.directory, services, environment=environment, broken=broken, quiet=malformed
        )
    )
    return list_needed.joined(sealed, needed, loaded)


def table(
    keys: Sequence[secrets.SealedKey],
    output: str,
    *,
    broken: Sequence[errors.FileFault],
    unreached: Sequence[reach.Unreached] = (),
) -> None:
    """Write a line for each key, or the JSON document, which has what could not be read as well."""
    from hanbae.actions import broken_files
    from hanbae.cli import outputs
    from hanbae.cli.text import catalogue, wrapping

    if output == "json":
        more = {"unreached": unreached} if unreached else {}
        outputs.emit_json({"keys": keys, "unread": broken_files.unread(broken), **more})
        return
    rows = [
        [catalogue.printable(text) for text in (key.service, key.environment, _called(key))]
        for key in keys
    ]
    widths = [max(map(wrapping.cells, column)) for column in zip(*rows, strict=True)]
    for key, row in zip(keys, rows, strict=True):
        columns = [wrapping.pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        head = "  ".join([*columns, ""])
        # The sentence stays in its column where that leaves it room.
        indent = wrapping.cells(head) if wrapping.cells(head) <= _WIDEST_KEY else 4
        outputs.emit_text(catalogue.sentence(_state(key)), head=head, indent=" " * indent)
    origins = {(key.certificate, key.environment): key.source for key in keys if key.source}
    for (certificate, environment), source in origins.items():
        facts = {"certificate": certificate, "environment": environment, "source": source}
        outputs.emit_text(catalogue.sentence(wording.Text("seal.certificate-from", facts)))


def _called(key: secrets.SealedKey) -> str:
    """A key, with the Secret in front where that is not listed by what is sealed in values."""
    listed_by_values = key.needed_by != "pods" and key.place is not None
    return key.key if listed_by_values else f"{key.secret}/{key.key}"


def _state(key: secrets.SealedKey) -> wording.Text:
    place = {"place": str(key.place)} if key.place else {"place": ""}
    if key.fault is not None:
        return key.fault
    if key.needed_by == "pods":
        return _state_outside_values(key)
    if key.state in ("sealed", "opened"):
        text_id = "seal.state-opened" if key.state == "opened" else "seal.state-sealed"
        pin = key.certificate[:_SHORT] or "-"
        return wording.Text(text_id, {"bits": str(key.bits), "certificate": pin})
    if key.needed_by == "migration":
        return wording.Text("seal.state-missing-migration", place)
    return wording.Text("seal.state-missing-elsewhere", place)


def _state_outside_values(key: secrets.SealedKey) -> wording.Text:
    """The state of a key that is in no values file."""
    facts = {"objects": ", ".join(key.read_by) or "-", "maker": key.maker}
    if key.state == "missing":
        return wording.Text("seal.state-lacking" if key.maker else "seal.state-unmade", facts)
    if key.reference:
        text_id = "seal.state-fetched" if key.state == "fetched" else "seal.state-referred"
        return wording.Text(text_id, facts | {"reference": key.reference})
    return wording.Text("seal.state-made", facts)
