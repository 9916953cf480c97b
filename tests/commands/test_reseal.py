"""``hanbae secrets reseal --keys``: every value for the newest key, or none; and nothing of a value to be seen."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support import sealing

from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.cli import main
from hanbae.sealing import certificates, encrypting

FORMER, NEWEST = sealing.key("former"), sealing.key("newest")
STRANGE = sealing.key("stranger")
Run = Callable[..., tuple[int, str, str]]
SERVICES = ("auth", "identity")


def certificate(key: rsa.RSAPrivateKey, *, age: int) -> bytes:
    begins = datetime.now(UTC) - timedelta(days=age)
    name = x509.Name([])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM)


CERTIFICATES = {"former": certificate(FORMER, age=60), "newest": certificate(NEWEST, age=2)}


def fingerprint(name: str) -> str:
    return certificates.parse(CERTIFICATES[name], name).fingerprint


def private(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def backup(*keys: tuple[str, rsa.RSAPrivateKey]) -> str:
    """What ``kubectl get secret -l … -o json`` prints, which is YAML as well."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": f"sealed-secrets-key-{name}", "namespace": "kube-system"},
            "data": {
                "tls.crt": base64.b64encode(CERTIFICATES[name]).decode(),
                "tls.key": base64.b64encode(private(key)).decode(),
            },
        }
        for name, key in keys
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """Two services whose values in dev are sealed for the former certificate."""
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    for name, pem in CERTIFICATES.items():
        (tmp_path / f"{name}.pem").write_bytes(pem)
    (tmp_path / "keys.yaml").write_text(backup(("former", FORMER), ("newest", NEWEST)))
    monkeypatch.chdir(root)
    for service in SERVICES:
        new_service.new_service(root, service)
        (tmp_path / f"{service}.env").write_text(f"A='c4n4ry {service}'\nB=c4n4ry-b\n")
        words = ("seal", service, "--env", "dev", "--from-env-file", f"../{service}.env")
        assert run(*words, "--certificate", "../former.pem")[0] == 0
    return root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(["--lang", "en", "secrets", *arguments])
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


def path(shop: Path, service: str) -> Path:
    return shop / "services" / service / "helm" / "values-dev.yaml"


def texts(shop: Path) -> dict[str, str]:
    return {service: path(shop, service).read_text() for service in SERVICES}


def opened(shop: Path, service: str, key: rsa.RSAPrivateKey) -> dict[str, bytes]:
    data = values.read(path(shop, service), "v").get(("sealedSecret", "encryptedData"))
    label = f"services-dev/{service}-secrets".encode()
    return {name: encrypting.decrypt(text, [key], label).unmask() for name, text in data.items()}


RESEAL = ("reseal", "--env", "dev", "--keys", "../keys.yaml")


def test_every_value_is_sealed_for_the_newest_key_and_nothing_else_changes(
    shop: Path, run: Run
) -> None:
    before = texts(shop)
    code, out, err = run(*RESEAL, "--accept-certificate", "-o", "json")
    assert code == 0, err
    rows = json.loads(out)["resealed"]
    assert [(row["service"], row["keys"]) for row in rows] == [
        ("auth", ["A", "B"]),
        ("identity", ["A", "B"]),
    ]
    assert {row["certificate"] for row in rows} == {fingerprint("newest")}
    assert [row["former"] for row in rows] == [[fingerprint("former")]] * 2
    for service, text in texts(shop).items():
        assert opened(shop, service, NEWEST) == {
            "A": f"c4n4ry {service}".encode(),
            "B": b"c4n4ry-b",
        }
        gone = [line for line in before[service].splitlines() if line not in text.splitlines()]
        assert [line.split(":")[0].strip() for line in gone] == ["A", "B", "certificate"]
        sources = values.read(path(shop, service), "v").get(("sealedSecret", "certificateSources"))
        assert sources[fingerprint("newest")] == "keys.yaml"
    code, _, err = run(*RESEAL)
    assert code == 0
    assert "already" in err
    after = texts(shop)
    assert run(*RESEAL, "--all")[0] == 0
    assert texts(shop) != after
    assert opened(shop, "auth", NEWEST)["B"] == b"c4n4ry-b"


def test_values_that_are_older_than_their_file_are_sealed_anew(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "auth.env").write_text("C=c4n4ry-c\n")
    seal = ("seal", "auth", "--env", "dev", "--from-env-file", "../auth.env")
    assert run(*seal, "--certificate", "../newest.pem", "--accept-certificate")[0] == 0
    code, out, err = run(*RESEAL, "auth", "-o", "json")
    assert code == 0, err
    (row,) = json.loads(out)["resealed"]
    assert (row["keys"], row["former"]) == (["A", "B"], [fingerprint("former")])
    assert opened(shop, "auth", NEWEST)["C"] == b"c4n4ry-c"
    code, out, _ = run("list", "auth", "--env", "dev", "-o", "json")
    sealed = {row["key"]: row["certificate"] for row in json.loads(out)["keys"] if row["bits"]}
    assert sealed == dict.fromkeys("ABC", fingerprint("newest"))


def test_expired_certificate_is_sealed_for_by_nobody(shop: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "expired.pem").write_bytes(certificate(NEWEST, age=3651))
    before = texts(shop)
    code, _, err = run(*RESEAL, "--certificate", "../expired.pem", "--accept-certificate")
    assert code == 5
    assert "expired" in err
    assert texts(shop) == before


def test_certificate_that_nobody_has_accepted_is_refused(shop: Path, run: Run) -> None:
    before = texts(shop)
    code, _, err = run(*RESEAL)
    assert code == 5
    assert "values-dev.yaml:" in err
    assert "--accept-certificate" in err
    assert texts(shop) == before


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        pytest.param("strange", 1, "identity B", id="a value that no key opens"),
        pytest.param("wide", 1, "namespace-wide", id="a value of another scope"),
        pytest.param("plain", 2, "identity: B", id="no sealed value"),
    ],
)
def test_one_value_that_cannot_be_opened_leaves_every_file_as_it_was(
    shop: Path, run: Run, change: str, code: int, message: str
) -> None:
    label = {"strange": b"services-dev/identity-secrets", "wide": b"services-dev"}
    text = "c4n4ry in clear"
    if change in label:
        from hanbae import masking

        key = STRANGE if change == "strange" else FORMER
        text = encrypting.encrypt(masking.Masked(b"x"), key.public_key(), label[change])
    with values.editing(path(shop, "identity"), "v") as document:
        document.set("sealedSecret.encryptedData.B", text)
    before = texts(shop)
    ended = run(*RESEAL, "--accept-certificate")
    assert ended[0] == code
    assert message in ended[2]
    assert texts(shop) == before
    assert run(*RESEAL, "auth", "--accept-certificate")[0] == 0, "the other service can be"


def test_a_file_that_cannot_be_written_puts_the_others_back(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, replace = texts(shop), Path.replace

    def full(self: Path, target: Path) -> Path:
        if "identity" in str(target) and self.name.startswith(".hanbae-"):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 2
    assert "identity" in err
    assert texts(shop) == before


def test_a_value_that_is_sealed_meanwhile_is_not_lost(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hanbae import masking
    from hanbae.sealing import backups

    newer = encrypting.encrypt(
        masking.Masked(b"newer"), FORMER.public_key(), b"services-dev/identity-secrets"
    )
    open_value = backups.open_value

    def slow(*arguments: object, **options: str) -> object:
        with values.editing(path(shop, "identity"), "v") as document:
            document.set("sealedSecret.encryptedData.B", newer)
        return open_value(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(backups, "open_value", slow)
    auth = path(shop, "auth").read_text()
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 5
    assert "values-dev.yaml:" in err
    assert opened(shop, "identity", FORMER)["B"] == b"newer"
    assert path(shop, "auth").read_text() == auth


def test_keys_alone_need_a_certificate_to_seal_for(shop: Path, run: Run) -> None:
    (shop.parent / "keys.pem").write_bytes(private(FORMER))
    pem = ("reseal", "--env", "dev", "--keys", "../keys.pem")
    code, _, err = run(*pem)
    assert code == 2
    assert "--certificate" in err
    assert run(*pem, "--certificate", "../newest.pem", "--accept-certificate")[0] == 0
    assert opened(shop, "auth", NEWEST)["B"] == b"c4n4ry-b"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("kind: List\nitems: []\n", id="no key"),
        pytest.param("a: [", id="no YAML"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nc4n4ry\n-----END PRIVATE KEY-----\n", id="PEM"),
        pytest.param("data: {tls.key: c4n4ry, tls.crt: '!'}\n", id="no base64"),
        pytest.param("data: {tls.key: YzRuNHJ5, tls.crt: YzRuNHJ5}\n", id="no keys in it"),
    ],
)
def test_backup_that_is_none_is_named_and_not_shown(shop: Path, run: Run, content: str) -> None:
    (shop.parent / "odd.yaml").write_text(content)
    code, _, err = run("reseal", "--env", "dev", "--keys", "../odd.yaml")
    assert code == 2
    assert "odd.yaml" in err


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(["--certificate", "../newest.pem"], id="certificate alone"),
        pytest.param(["--keys", "../keys.yaml", "--context", "x"], id="keys and context"),
        pytest.param(["--keys", "../keys.yaml", "nobody"], id="service"),
        pytest.param(["--rate", "0"], id="rate"),
    ],
)
def test_wrong_use_changes_nothing(shop: Path, run: Run, more: list[str]) -> None:
    before = texts(shop)
    assert run("reseal", "--env", "dev", *more)[0] == 2
    assert texts(shop) == before
