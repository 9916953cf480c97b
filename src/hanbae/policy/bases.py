"""What all parts of ``hanbae.yaml`` are made of: the base of their classes, and the forms of texts that many have."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=53)]
"""An RFC 1123 label, short enough for a Helm release name."""

# Each part may be missing; the length refuses the text without any. Digits are bounded: Python makes no number of
# more than 4300 of them, and no moment of one that is far smaller.
_PARTS: Final = "([0-9]{1,4}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$"
Duration = Annotated[str, Meta(pattern=f"^{_PARTS}", min_length=2)]
"""A duration such as ``90s``, ``10m`` or ``1h30m``; each part is at most a year or so."""

Days = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}d$")]
"""A number of days, such as ``90d``."""

Patience = Annotated[str, Meta(pattern=f"^(?=.*[1-9]){_PARTS}", min_length=2)]
"""A duration that is not 0."""

Count = Annotated[int, Meta(ge=0)]
"""How many: never negative."""


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parts of the policy file: immutable, and unknown keys are refused."""
