"""Who is told of deployments is named once, for environments that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae import errors
from hanbae.policy import documents, loading

SHOP = Path(__file__).parents[3] / "examples/shop/hanbae.yaml"


def policy(*receivers: str) -> documents.Policy:
    text = SHOP.read_text() + "\nnotify:\n" + "".join(f"  - {{{entry}}}\n" for entry in receivers)
    return loading.parse(text.encode(), "hanbae.yaml")[0]


def test_receivers_are_read() -> None:
    audit, team = policy("name: audit", "name: team, via: apprise, environments: [dev]").notify
    assert (audit.via, audit.environments) == ("webhook", ())
    assert (team.via, team.environments) == ("apprise", ("dev",))


@pytest.mark.parametrize(
    ("receivers", "text"),
    [
        (("name: audit", "name: audit"), "policy.receiver-twice"),
        (("name: audit, environments: [nope]",), "policy.receiver-unknown-environment"),
        (("name: audit, url: 'https://hooks.example.com'",), "policy.invalid"),
        (("name: AWS_SECRET_ACCESS_KEY",), "policy.invalid"),
    ],
)
def test_what_cannot_be_is_refused_at_its_line(receivers: tuple[str, ...], text: str) -> None:
    with pytest.raises(errors.FileFault) as caught:
        policy(*receivers)
    assert caught.value.text.id.startswith(text.partition("invalid")[0])
    assert caught.value.place is not None
    assert caught.value.place.line > len(SHOP.read_text().splitlines())
