"""What hanbae says, before it is put into words.

Everything that can be shown to a person travels as a :class:`Text`: a stable id and the facts that go
into the sentence.
The words live in the catalogues under ``locale/`` and are chosen at the edge, by the CLI or the server,
so that the same event can be read in Korean on one terminal and in English on another, and so that JSON
keeps an id that programs can rely on.
"""

from __future__ import annotations

import warnings

from msgspec import Struct


class Text(Struct, frozen=True):
    """A sentence that has not been worded yet.

    Attributes:
        id: Stable name of the sentence, such as ``deploy.hook-failed``; the key in the catalogues.
        facts: Values for the sentence's placeholders. Never holds a plaintext secret.
    """

    id: str
    facts: dict[str, str] = {}

    def __str__(self) -> str:
        """The id and the facts: for logs and assertions, never for users."""
        if not self.facts:
            return self.id
        return f"{self.id}({', '.join(f'{key}={value!r}' for key, value in self.facts.items())})"


class Warned(UserWarning):
    """What a person should know although the work goes on, such as a server whose certificate is not checked.

    Issued through :mod:`warnings`; the CLI shows the catalogue's sentence.

    Args:
        text: What to say.
    """

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


def warn(text: Text) -> None:
    """Issue a :class:`Warned`."""
    warnings.warn(Warned(text), stacklevel=3)
