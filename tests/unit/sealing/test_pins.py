"""What a values file remembers of certificates when values are sealed with another one."""

from __future__ import annotations

from hanbae.sealing import pins

OLD, NEW, OTHER = ("sha256:" + letter * 64 for letter in "abc")


def test_value_that_is_sealed_anew_loses_its_old_pin() -> None:
    section = {
        "certificate": OLD,
        "encryptedData": {"A": "x", "B": "x", "C": "x"},
        "certificates": {"A": OTHER, "B": OTHER},
    }
    renewal = pins.renewal(section, ["A"], NEW)
    assert renewal.changes == {(*pins.PINS, "A"): NEW, (*pins.PINS, "C"): OLD}
    assert renewal.outdated == ("B", "C")
    # What is sealed for the certificate already is not outdated, and what nobody knows of is not pinned.
    assert pins.renewal(section, ["A", "B"], OLD).outdated == ()
    assert pins.renewal({"encryptedData": {"A": "x"}}, ["B"], NEW) == pins.Renewal({}, ())


def test_first_source_of_a_certificate_stays() -> None:
    assert pins.sourced({}, NEW, "dev.pem") == {(*pins.SOURCES, NEW): "dev.pem"}
    section = {"certificateSources": {NEW: "the controller"}}
    assert pins.sourced(section, NEW, "evil.pem") == {}
    assert pins.sourced(section, OLD, "") == {}
    assert pins.source(section, NEW) == "the controller"
