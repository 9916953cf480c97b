from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import errors
from hanbae.migrations import goose_files


def test_versions_are_the_digits_before_the_first_underscore() -> None:
    names = ["20261123101500_orders.sql", "00002_b.sql", "00001_a_b.sql", "README.md", "seed"]
    assert goose_files.versions(names) == (1, 2, 20261123101500)


@pytest.mark.parametrize(
    "name", ["init.sql", "1.sql", "0_zero.sql", "v1_a.sql", "_a.sql", "9" * 20 + "_a.sql"]
)
def test_a_file_at_which_goose_would_abort_is_a_fault_at_that_file(name: str) -> None:
    with pytest.raises(errors.FileFault) as caught:
        goose_files.versions(["00001_a.sql", name], folder="services/auth/migrations")
    assert caught.value.text.id == "migrations.file-without-number"
    assert str(caught.value.place) == f"services/auth/migrations/{name}"


def test_a_version_that_is_there_twice_is_a_fault_although_it_is_written_differently() -> None:
    with pytest.raises(errors.FileFault) as caught:
        goose_files.versions(["00001_a.sql", "1_b.sql"])
    assert caught.value.text.facts["other"] == "00001_a.sql"


@given(st.sets(st.integers(min_value=1, max_value=2**63 - 1)))
def test_versions_come_back_sorted(versions: set[int]) -> None:
    names = [f"{version}_x.sql" for version in versions]
    assert goose_files.versions(names) == tuple(sorted(versions))


def test_migrations_in_go_have_versions_and_their_tests_and_helpers_none() -> None:
    names = ["00001_a.sql", "00002_b.go", "00002_b_test.go", "helper.go"]
    assert goose_files.versions(names) == (1, 2)
    assert [name for name in names if goose_files.is_go(name)] == ["00002_b.go"]
    with pytest.raises(errors.FileFault):
        goose_files.versions(["00001_a.sql", "00001_a.go"])


def test_a_number_without_end_is_no_version_and_takes_no_time() -> None:
    assert goose_files.version_of("9" * 1_000_000 + "_a.sql") is None
    assert goose_files.version_of("0" * 1_000_000 + "7_a.sql") == 7


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("00001_.sql", 1),
        ("+1_signed.sql", 1),
        (f"{2**63 - 1}_last.sql", 2**63 - 1),
        (f"{2**63}_beyond.sql", None),
        (f"{2**63 - 1}0_longer.sql", None),
        (f"{'0' * 30}7_zeros.sql", 7),
    ],
)
def test_a_version_is_a_number_of_64_bits_as_go_reads_one(name: str, version: int | None) -> None:
    assert goose_files.version_of(name) == version
