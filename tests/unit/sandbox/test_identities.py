from __future__ import annotations

from ipaddress import IPv4Network, ip_address
from pathlib import Path

import msgspec
import pytest

from hanbae import errors
from hanbae.sandbox import folders, identities

HOME = Path("/state/hanbae/sandbox")


def network(identity: identities.Identity) -> IPv4Network:
    return IPv4Network((identity.outer, identity.prefix), strict=False)


def test_the_same_place_gets_the_same_names() -> None:
    assert identities.derive(HOME / "a", ()) == identities.derive(HOME / "a", ())


def test_two_names_and_two_users_of_one_name_differ_in_everything_the_machine_sees() -> None:
    claimed = [
        identities.derive(place, ())
        for place in (HOME / "a", HOME / "b", Path("/other/hanbae/sandbox/a"))
    ]
    for attribute in ("inner", "outer", "link", "cgroup"):
        assert len({getattr(identity, attribute) for identity in claimed}) == len(claimed)


def test_both_addresses_are_the_two_hosts_of_one_small_network_in_the_range() -> None:
    identity = identities.derive(HOME / "demo", ())
    hosts = list(network(identity).hosts())
    assert [ip_address(identity.outer), ip_address(identity.inner)] == hosts
    assert network(identity).subnet_of(IPv4Network("10.89.0.0/16"))


def test_names_fit_linux_limits_even_for_the_longest_name() -> None:
    identity = identities.derive(HOME / ("n" * 30), ())
    assert len(identity.link) <= 15
    assert len(identity.host) <= 63
    assert "/" not in identity.cgroup
    assert ("n" * 30) in identity.cgroup


def test_a_taken_network_is_stepped_over() -> None:
    first = identities.derive(HOME / "demo", ())
    second = identities.derive(HOME / "demo", [network(first)])
    assert not network(first).overlaps(network(second))
    assert second.link == first.link


def test_a_network_that_contains_the_choice_is_avoided_too() -> None:
    first = identities.derive(HOME / "demo", ())
    wide = network(first).supernet(new_prefix=24)
    assert not wide.overlaps(network(identities.derive(HOME / "demo", [wide])))


def test_a_route_as_wide_as_a_vpns_does_not_forbid_everything() -> None:
    everything = IPv4Network("10.0.0.0/8")
    assert identities.derive(HOME / "demo", [everything])


def test_a_full_range_is_said() -> None:
    with pytest.raises(errors.Lacking):
        identities.derive(HOME / "demo", [IPv4Network("10.89.0.0/16")])


def test_a_written_identity_is_kept_although_the_choice_would_differ_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = folders.of("demo")
    folder.make()
    kept = msgspec.structs.replace(identities.derive(folder.root, ()), outer="10.89.0.1")
    folders.write(folder.identity, msgspec.json.encode(kept))
    assert identities.claim(folder, Path("/nowhere/ip"), {}) == kept


def test_a_damaged_identity_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = folders.of("demo")
    folder.make()
    folder.identity.write_text('{"name": "demo"')
    assert identities.load(folder) is None
