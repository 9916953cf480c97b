"""Single messages are looked up as Python's own reader has them."""

from __future__ import annotations

import gettext
import io
import struct
from pathlib import Path

import pytest

from hanbae.cli.text import catalogue, indexed_catalogues

FOLDER = Path(catalogue.__file__).parents[2] / "locale"


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_every_message_of_the_catalogues_is_what_python_reads(language: str) -> None:
    path = FOLDER / language / "LC_MESSAGES" / "hanbae.mo"
    with path.open("rb") as file:
        whole = gettext.GNUTranslations(file)
    with path.open("rb") as file:
        indexed = indexed_catalogues.Translations(file)
    messages = whole._catalog  # type: ignore[attr-defined]
    assert len(messages) > 2000
    # Those with a plural are pairs; asked for without a number, Python has not given them in all of its versions.
    for message in (key for key in messages if isinstance(key, str)):
        assert indexed.gettext(message) == whole.gettext(message)
    for message, _ in (key for key in messages if not isinstance(key, str)):
        assert indexed.gettext(message) == whole.ngettext(message, "several", 1)
    for absent in ("seal.don", "seal.donee", "", "\uffff", "a", "~", "\udc80"):
        assert indexed.gettext(absent) == whole.gettext(absent)
    assert indexed.info() == whole.info()
    assert [indexed.plural(number) for number in range(5)] == [  # type: ignore[attr-defined]
        whole.plural(number)  # type: ignore[attr-defined]
        for number in range(5)
    ]


def compiled(order: str) -> bytes:
    """A catalogue of two messages, its numbers written in an order of bytes."""
    texts = [(b"", b"Content-Type: text/plain; charset=UTF-8\n"), (b"key", "열쇠".encode())]
    start = 28 + 2 * 2 * 8
    tables, body = [], b""
    for column in (0, 1):
        for pair in texts:
            tables.append(struct.pack(f"{order}2I", len(pair[column]), start + len(body)))
            body += pair[column] + b"\0"
    head = struct.pack(f"{order}7I", 0x950412DE, 0, 2, 28, 28 + 16, 0, 0)
    return head + b"".join(tables) + body


@pytest.mark.parametrize("order", ["<", ">"])
def test_catalogue_of_either_order_of_bytes_is_read(order: str) -> None:
    translations = indexed_catalogues.Translations(io.BytesIO(compiled(order)))
    assert translations.gettext("key") == "열쇠"
    assert translations.gettext("other") == "other"
