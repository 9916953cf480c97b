"""Why a set cannot be promoted: all reasons at once, so that nobody mends them one by one."""

from __future__ import annotations

from collections.abc import Sequence

from hanbae import errors, wording


class NotPromotable(errors.Refused):
    """Nothing was pushed.

    Attributes:
        reasons: Each reason with its cure; the first one is the error's own text.
    """

    def __init__(self, reasons: tuple[wording.Text, ...]) -> None:
        super().__init__(reasons[0].id, place=None, **reasons[0].facts)
        self.reasons = reasons

    @property
    def texts(self) -> tuple[wording.Text, ...]:
        """Each reason."""
        return self.reasons


def refuse(reasons: Sequence[wording.Text]) -> None:
    """Refuse where there are reasons.

    Raises:
        NotPromotable: There are.
    """
    if reasons:
        raise NotPromotable(tuple(reasons))
