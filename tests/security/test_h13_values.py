"""Values with which no pod starts are refused before they are sealed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import sealing as sealed_secrets

from hanbae import errors, masking
from hanbae.actions import init, new_service, seal
from hanbae.charts import values
from hanbae.sealing import ciphertexts, pins

KIB = 1024


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(tmp_path, "auth")
    return tmp_path


Sealing = Callable[..., object]


@pytest.fixture
def sealing(shop: Path) -> Sealing:
    certificate = sealed_secrets.certificate(sealed_secrets.key())

    async def run(plaintexts: dict[str, bytes], **options: bool) -> object:
        masked = {key: masking.Masked(value) for key, value in plaintexts.items()}
        return await seal.seal(
            shop, "auth", "dev", masked, certificate=certificate, certificate_source="x", **options
        )

    return run


def sealed(shop: Path) -> dict[str, str]:
    file = "services/auth/helm/values-dev.yaml"
    document = values.read(shop / file, file)
    return dict(document.get(pins.DATA) or {})


@pytest.mark.parametrize(
    ("value", "text_id"),
    [
        (b"\xff\xfe\x00", "seal.nul"),
        (b"\xff\xfe", "seal.not-utf8"),
        ("비밀".encode("euc-kr"), "seal.not-utf8"),
        (b"\xed\xa0\x80", "seal.not-utf8"),  # half of a pair, which no UTF-8 has
        (b"x" * (128 * KIB - len("JWT_SECRET") - 1), "seal.too-long"),
        (b"x" * 200_000, "seal.too-long"),
    ],
)
async def test_what_no_environment_variable_holds_is_refused_unless_it_is_for_a_file(
    shop: Path, sealing: Sealing, value: bytes, text_id: str
) -> None:
    before = sealed(shop)
    with pytest.raises(errors.WrongUse) as caught:
        await sealing({"JWT_SECRET": value})  # type: ignore[misc]
    assert caught.value.text.id == text_id
    assert caught.value.__cause__ is None
    assert sealed(shop) == before
    await sealing({"JWT_SECRET": value}, binary=True)  # type: ignore[misc]
    assert ciphertexts.shape(sealed(shop)["JWT_SECRET"]).length == len(value)


async def test_the_longest_variable_is_sealed(shop: Path, sealing: Sealing) -> None:
    value = b"x" * (128 * KIB - len("JWT_SECRET") - 2)
    await sealing({"JWT_SECRET": value})  # type: ignore[misc]
    assert ciphertexts.shape(sealed(shop)["JWT_SECRET"]).length == len(value)


async def test_more_than_a_secret_holds_is_refused_with_what_is_sealed_already(
    shop: Path, sealing: Sealing
) -> None:
    await sealing({"A": b"x" * (600 * KIB)}, binary=True)  # type: ignore[misc]
    with pytest.raises(errors.WrongUse) as caught:
        await sealing({"B": b"x" * (425 * KIB)}, binary=True)  # type: ignore[misc]
    assert caught.value.text.id == "seal.secret-too-large"
    assert set(sealed(shop)) >= {"A"}
    assert "B" not in sealed(shop)
    # What replaces a value does not count twice.
    await sealing({"A": b"x" * (700 * KIB), "B": b"x"}, binary=True)  # type: ignore[misc]
