"""A service that is not there is told with those that are, and where there are none, with that."""

from __future__ import annotations

import pytest

from hanbae import errors, wording
from hanbae.repository import services


@pytest.mark.parametrize(
    ("present", "text"),
    [
        (
            ("auth", "menu"),
            wording.Text(
                "services.unknown", {"service": "x", "source": "services/*", "known": "auth, menu"}
            ),
        ),
        ((), wording.Text("services.none", {"service": "x", "source": "services/*"})),
    ],
)
def test_what_there_is_is_listed(present: tuple[str, ...], text: wording.Text) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        services.require(("x",), present, source="services/*")
    assert caught.value.text == text
