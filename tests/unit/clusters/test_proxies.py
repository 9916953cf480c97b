"""Which servers ``NO_PROXY`` names, as Go reads it."""

from __future__ import annotations

import pytest

from hanbae.clusters import proxies

PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("entry", "is_direct"),
    [
        ("fd00::1", True),
        ("[fd00::1]", True),
        ("[fd00::1]:6443", True),
        ("[fd00::1]:6444", False),
        ("fd00::2", False),
        # No address and port: an address of its own.
        ("fd00::1:6443", False),
        ("fd00::/8", True),
        ("[fd00::1]:" + "9" * 5000, False),
        ("[fd00::1]:\N{SUPERSCRIPT TWO}", False),
    ],
)
def test_an_ipv6_address_is_named_with_and_without_a_port(entry: str, *, is_direct: bool) -> None:
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": entry}
    proxy = proxies.of_environment("https://[fd00::1]:6443", environment)
    assert proxy == (None if is_direct else PROXY)
