"""The way to a history on a server: who answers there has proven who it is, or gets nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.api.conftest import Authority
from tests.commands.test_json_documents import in_shop, shop
from tests.support import postgresql, records

from hanbae import errors, subjects
from hanbae.cli import main
from hanbae.history import locations, stores

__all__ = ["in_shop", "shop"]

POLICY = subjects.Place("hanbae.yaml", 3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[int]:
    """The port of a server whose certificate is for ``localhost``."""
    certificate, key = authority.issue("localhost")
    key.chmod(0o600)
    folder = tmp_path_factory.mktemp("postgresql")
    files = {"ssl_cert_file": str(certificate), "ssl_key_file": str(key)}
    with postgresql.running(folder, speaks_tls=True, ssl="on", **files) as url:
        yield urlsplit(url).port or 0


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: Authority) -> None:
    """The user trusts the authority, and has the password."""
    monkeypatch.setenv("PGPASSWORD", postgresql.PASSWORD)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "absent"))
    monkeypatch.setenv("PGSSLROOTCERT", str(authority.path))
    monkeypatch.setenv("PGSSLMODE", "verify-full")


def name_server(monkeypatch: pytest.MonkeyPatch, host: str, port: int, options: str = "") -> str:
    url = f"postgresql://postgres@{host}:{port}/postgres{options}"
    monkeypatch.setenv(locations.VARIABLE, url)
    return url


@pytest.mark.usefixtures("trusting")
def test_a_server_that_proves_its_name_is_spoken_to_in_tls_alone(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    with stores.open_store(name_server(monkeypatch, "localhost", port)) as store:
        store.append("a", None, records.opened(), records.BEGUN)
        query = "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()"
        assert store._database.rows(query, {}) == [(True,)]
        store.wait(0.01)  # who follows listens on a connection of their own
        listening = "SELECT count(*) FROM pg_catalog.pg_stat_ssl WHERE ssl"
        assert store._database.rows(listening, {}) == [(2,)]


@pytest.mark.usefixtures("trusting")
def test_a_certificate_for_another_host_is_refused(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    with pytest.raises(errors.Unreachable) as refused:
        stores.open_store(name_server(monkeypatch, "127.0.0.1", port))
    assert refused.value.text.id == "history.other-host"
    assert '"localhost"' in refused.value.text.facts["why"]
    # Less than that is the user's to say, for whom the chain is enough.
    stores.open_store(name_server(monkeypatch, "127.0.0.1", port, "?sslmode=verify-ca")).close()


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("name", ["test", "another"], ids=["made-anew", "another"])
def test_a_certificate_of_an_authority_that_nobody_trusts_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int, name: str
) -> None:
    other = Authority(tmp_path, name)
    monkeypatch.setenv("PGSSLROOTCERT", str(other.path))
    with pytest.raises(errors.Unreachable) as refused:
        stores.open_store(name_server(monkeypatch, "localhost", port))
    assert refused.value.text.id == "history.untrusted"
    assert refused.value.text.facts["authorities"] == str(other.path)
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "absent.crt"))
    with pytest.raises(errors.Unreachable) as refused:
        stores.open_store(name_server(monkeypatch, "localhost", port))
    assert refused.value.text.id == "history.no-authorities"


@pytest.mark.usefixtures("trusting")
def test_a_server_of_a_policys_is_verified_whatever_the_policy_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int
) -> None:
    monkeypatch.delenv(locations.VARIABLE, raising=False)
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"localhost:{port}:*:postgres:{postgresql.PASSWORD}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    url = f"postgresql://postgres@localhost:{port}/postgres"
    stores.open_store(locations.trusted(url, tmp_path, os.environ, POLICY)).close()
    other = Authority(tmp_path)
    with pytest.raises(errors.Refused, match=r"history\.weaker-tls"):
        locations.trusted(f"{url}?sslrootcert={other.path}", tmp_path, os.environ, POLICY)


@pytest.mark.usefixtures("trusting")
def test_a_server_without_tls_is_refused_where_tls_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "server").mkdir()
    with postgresql.running(tmp_path / "server") as plain:
        port = urlsplit(plain).port or 0
        with pytest.raises(errors.Unreachable) as refused:
            stores.open_store(name_server(monkeypatch, "localhost", port))
    assert refused.value.text.id == "history.without-tls"


WORDS = {
    "en": ("is for another name", "is not signed by an authority that is trusted here"),
    "ko": ("다른 이름의 인증서", "신뢰하는 인증 기관이 서명하지 않은"),
}


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("trusts", [True, False], ids=["name", "chain"])
@pytest.mark.parametrize("language", WORDS)
def test_why_is_said_in_words(
    in_shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    port: int,
    language: str,
    *,
    trusts: bool,
) -> None:
    if not trusts:
        monkeypatch.setenv("PGSSLROOTCERT", str(Authority(tmp_path).path))
    name_server(monkeypatch, "127.0.0.1", port)
    assert main.run(["--lang", language, "history", "list"]) == 4
    words = " ".join(capsys.readouterr().err.split())
    name, chain = WORDS[language]
    assert (name if trusts else chain) in words
    assert "PGSSLROOTCERT" in words or trusts
    assert postgresql.PASSWORD not in words
