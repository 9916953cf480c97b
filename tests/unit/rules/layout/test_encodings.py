"""Secrets are found in files that are not UTF-8 as well: in what editors and shells of Windows save."""

from __future__ import annotations

import pytest
from tests.support import trees
from tests.unit.rules.conftest import Check

from hanbae.repository import encodings
from hanbae.rules import rulebook

TEXT = "# 데이터베이스 암호\nDB_PASSWORD=k3Vq9sLm2XwTz8\n"
ENCODINGS = ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-32", "shift-jis", "latin-1"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("path", "code"), [("services/auth/app.env", "LAY009"), ("deploy/app.env", "LAY010")]
)
def test_a_secret_is_found_in_any_encoding(
    checked: Check, shop: trees.MemoryTree, path: str, code: str, encoding: str
) -> None:
    data = TEXT.encode(encoding, errors="replace")
    tree = trees.MemoryTree({**shop.contents, path: data})
    (finding,) = checked(tree, ["auth"], [rulebook.rules()[code]])
    assert str(finding.place) == f"{path}:2:1"


@pytest.mark.parametrize("data", [b"\xff\xfe\0\0", b"\x7fELF\x02\0\xff", b"PK\x03\x04\x14\0\xff"])
def test_what_is_no_text_shows_nothing(checked: Check, shop: trees.MemoryTree, data: bytes) -> None:
    tree = trees.MemoryTree({**shop.contents, "services/auth/app.env": data})
    assert checked(tree, ["auth"], [rulebook.rules()["LAY009"]]) == ()


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "euc-kr", "utf-16", "utf-32"])
def test_a_key_in_hangul_is_read_in_any_encoding(
    checked: Check, shop: trees.MemoryTree, encoding: str
) -> None:
    data = '비밀번호: "hunter2-S3cretX9q"\n'.encode(encoding)
    tree = trees.MemoryTree({**shop.contents, "services/auth/app.yaml": data})
    (finding,) = checked(tree, ["auth"], [rulebook.rules()["LAY009"]])
    assert str(finding.place) == "services/auth/app.yaml:1:1"


def test_a_zero_byte_hides_nothing_in_a_text() -> None:
    assert encodings.legible(b"\0a=1\n") == "\0a=1\n"


def test_half_a_character_at_the_end_is_no_fault() -> None:
    assert encodings.legible("가".encode("utf-16")[:-1]) == "\ufffd"
