"""``hanbae secrets import``: what kubeseal, SOPS and others have made, into a service's values."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import sealing

from hanbae import masking
from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.cli import main
from hanbae.sealing import certificates, encrypting, objects

KEY, FORMER = sealing.key(), sealing.key("former")
PEM = sealing.certificate(KEY)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    (tmp_path / "cert.pem").write_bytes(PEM)
    (tmp_path / "keys.pem").write_bytes(sealing.pem(FORMER) + sealing.pem(KEY) + PEM)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main.run(["--lang", "en", "secrets", "import", "auth", "--env", "dev", *arguments])
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


def opened(shop: Path) -> dict[str, bytes]:
    path = shop / "services/auth/helm/values-dev.yaml"
    data = values.read(path, "v").get(("sealedSecret", "encryptedData"))
    label = "services-dev/auth-secrets"
    return {key: sealing.unsealed(text, KEY, label) for key, text in (data or {}).items()}


def sealed_secret(
    scope: encrypting.Scope = "strict",
    *,
    namespace: str = "services-dev",
    name: str = "auth-secrets",
) -> str:
    """What kubeseal writes; JSON is YAML."""
    label = encrypting.label(scope, namespace, name)
    public = certificates.parse(PEM, "x").public_key
    encrypted = {
        key: encrypting.encrypt(masking.Masked(value), public, label)
        for key, value in {"A": b"c4n4ry-a", "B": b"c4n4ry-b"}.items()
    }
    return json.dumps(objects.least(namespace, name, scope, encrypted))


PLAIN = {"A": b"c4n4ry-a", "B": b"c4n4ry-b"}
OFFLINE = ("--certificate", "../cert.pem")


def test_sealed_secret_is_sealed_anew_with_a_backup(shop: Path, run: Run) -> None:
    (shop.parent / "sealed.yaml").write_text(sealed_secret())
    code, _, err = run("../sealed.yaml", "--keys", "../keys.pem")
    assert code == 0, err
    assert opened(shop) == PLAIN
    document = values.read(shop / "services/auth/helm/values-dev.yaml", "v")
    pin = certificates.parse(PEM, "x").fingerprint
    assert document.get("sealedSecret.certificate") == pin


@pytest.mark.parametrize(
    ("scope", "namespace", "name"),
    [
        ("namespace-wide", "old", "auth"),
        ("strict", "services-dev", "auth"),
        ("strict", "old", "auth-secrets"),
        ("cluster-wide", "services-dev", "auth-secrets"),
        ("cluster-wide", "", ""),
    ],
)
def test_sealed_secret_of_another_name_and_scope_is_bound_anew_with_a_backup(
    shop: Path, run: Run, scope: encrypting.Scope, namespace: str, name: str
) -> None:
    text = sealed_secret(scope, namespace=namespace, name=name)
    (shop.parent / "sealed.yaml").write_text(text)
    code, _, err = run("../sealed.yaml", "--sealed-with", "../cert.pem")
    assert code == 2
    assert f"{namespace or '-'}/{name} ({scope})" in " ".join(err.split())
    assert run("../sealed.yaml", "--keys", "../keys.pem")[0] == 0
    assert opened(shop) == PLAIN


def test_sealed_secret_is_taken_as_it_is_on_the_users_word(shop: Path, run: Run) -> None:
    text = sealed_secret()
    (shop.parent / "sealed.yaml").write_text("---\n" + text)
    code, out, err = run("../sealed.yaml", "--sealed-with", "../cert.pem", "--key", "A")
    assert (code, out) == (0, "auth  A\n"), err
    assert opened(shop) == {"A": b"c4n4ry-a"}
    document = values.read(shop / "services/auth/helm/values-dev.yaml", "v")
    theirs = json.loads(text)["spec"]["encryptedData"]["A"]
    assert document.get("sealedSecret.encryptedData.A") == theirs


@pytest.mark.parametrize(
    "way", [("--keys", "../keys.pem"), ("--sealed-with", "../cert.pem")], ids=["keys", "as it is"]
)
def test_certificate_that_the_values_do_not_know_is_not_believed(
    shop: Path, run: Run, way: tuple[str, str]
) -> None:
    (shop.parent / "sealed.yaml").write_text(sealed_secret())
    path = shop / "services/auth/helm/values-dev.yaml"
    with values.editing(path, "v") as document:
        document.update({("sealedSecret", "certificate"): f"sha256:{'0' * 64}"})
    before = path.read_text()
    code, _, err = run("../sealed.yaml", *way)
    assert code == 5
    assert "sha256:0000" in err
    assert path.read_text() == before
    assert run("../sealed.yaml", *way, "--accept-certificate")[0] == 0
    assert opened(shop) == PLAIN


def test_service_that_is_not_in_the_environment_has_no_file_to_seal_into(
    shop: Path, run: Run
) -> None:
    (shop.parent / "sealed.yaml").write_text(sealed_secret())
    (shop / "services/auth/helm/values-dev.yaml").unlink()
    code, _, err = run("../sealed.yaml", "--keys", "../keys.pem")
    assert code == 2
    assert "auth" in err
    assert not (shop / "services/auth/helm/values-dev.yaml").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("A: c4n4ry-a\nB: 'c4n4ry-b'\n", PLAIN, id="YAML"),
        pytest.param('{"A": "c4n4ry-a", "B": "c4n4ry-b"}', PLAIN, id="JSON"),
        pytest.param("A=c4n4ry-a\nB=c4n4ry-b\n", PLAIN, id="dotenv"),
        pytest.param("A=c4n4ry $x\\ny\n", {"A": b"c4n4ry $x\ny"}, id="dotenv as it stands"),
        pytest.param("A: 0123\nB: yes\n", {"A": b"0123", "B": b"yes"}, id="text, not numbers"),
        pytest.param("A: !!str 5\nB: !!int '7'\n", {"A": b"5", "B": b"7"}, id="tagged"),
        pytest.param("kind: Secret\nstringData: {A: c4n4ry-a}\n", {"A": b"c4n4ry-a"}, id="Secret"),
        pytest.param("A: 'null'\nB: \"~\"\n", {"A": b"null", "B": b"~"}, id="quoted"),
        pytest.param("A: !!str null\nB: !!str\n", {"A": b"null", "B": b""}, id="tagged as text"),
        pytest.param("B: ''\n", {"B": b""}, id="empty"),
    ],
)
def test_what_sops_prints_is_sealed(
    shop: Path, run: Run, text: str, expected: dict[str, bytes]
) -> None:
    code, _, err = run("--from-sops", "--certificate", "../cert.pem", stdin=text.encode())
    assert code == 0, err
    assert opened(shop) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("A: ENC[AES256_GCM,data:c4n4ry]\n", ":1", id="still encrypted"),
        pytest.param("A: 1\nB: ENC[AES256_GCM,data:c4n4ry]\n", ":2", id="one still encrypted"),
        pytest.param("A: 1\nB:\n", ":2", id="null"),
        pytest.param("A: 1\nB: {c4n4ry: 1}\n", ":2", id="nested"),
        pytest.param("c4n4ry\n", ":1", id="nothing"),
        pytest.param("A: 1\nA: c4n4ry\n", ":2", id="twice"),
        pytest.param("A: 1\nB: !!binary YzRuNHJ5\n", ":2", id="bytes"),
        pytest.param("A: 1\nB: !!null ''\n", ":2", id="nothing, tagged"),
        pytest.param("A: 1\nB: !!int null\n", ":2", id="nothing, tagged as a number"),
        pytest.param("A: 1\nB: !vault c4n4ry\n", ":2", id="of somebody's tag"),
    ],
)
def test_what_is_no_secret_is_refused_with_its_line(
    shop: Path, run: Run, text: str, line: str
) -> None:
    code, _, err = run("--from-sops", "--certificate", "../cert.pem", stdin=text.encode())
    assert code == 2
    assert f"-{line}" in err
    assert opened(shop) == {}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_bytes_are_sealed_in_the_way_that_their_refusal_names(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
) -> None:
    place = ("auth", "--env", "dev", *OFFLINE)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"A: !!binary /w==\n")))
    assert main.run(["--lang", language, "secrets", "import", *place, "--from-sops"]) == 2
    way = "--from-file KEY=PATH --binary"
    assert way in " ".join(capsys.readouterr().err.split())
    (shop.parent / "A.bin").write_bytes(b"\xff")
    words = way.replace("KEY=PATH", "A=../A.bin").split()
    assert main.run(["secrets", "seal", *place, *words]) == 0
    assert opened(shop) == {"A": b"\xff"}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no source"),
        pytest.param(["hanbae.yaml", "--from-sops"], id="two sources"),
        pytest.param(["hanbae.yaml"], id="no SealedSecret"),
        pytest.param(["--from-sops", *OFFLINE, "--keys", "../keys.pem"], id="keys without a file"),
        pytest.param(["--from-sops", "--secret", "x"], id="Secret without a cluster"),
        pytest.param(["hanbae.yaml", "--certificate", "../cert.pem"], id="certificate"),
        pytest.param(
            ["--from-sops", *OFFLINE, "--sealed-with", "../cert.pem"], id="as it is, without a file"
        ),
        pytest.param(
            ["../sealed.yaml", "--keys", "../keys.pem", "--sealed-with", "../cert.pem"],
            id="two ways",
        ),
        pytest.param(["../sealed.yaml", "--keys", "../keys.pem", "--key", "C"], id="no such key"),
        pytest.param(
            ["--from-sops", "--certificate", "../cert.pem", "--key", "C"], id="no such key of SOPS"
        ),
    ],
)
def test_wrong_use_changes_nothing(shop: Path, run: Run, arguments: list[str]) -> None:
    (shop.parent / "sealed.yaml").write_text(sealed_secret())
    code, _, _ = run(*arguments, stdin=b"A=1\n")
    assert code == 2
    assert opened(shop) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{kind}\nspec: {{encryptedData: {{A: {a}, A: {b}}}}}\n", ":3", id="key twice"),
        pytest.param(
            "{kind}\nspec: {{}}\nspec: {{encryptedData: {{A: {a}}}}}\n", ":4", id="spec twice"
        ),
        pytest.param("{kind}\nspec: {{encryptedData: {{? [b] : {a}}}}}\n", ":3", id="no text"),
        pytest.param("{kind}\nspec: {{encryptedData: {{A: &a [*a]}}}}\n", ":3", id="endless"),
        pytest.param(
            "{kind}\nspec: {{encryptedData: {{A: {{{{ .Values.a }}}}}}}}\n",
            "sealed.yaml",
            id="template",
        ),
        pytest.param('{kind}\nspec: {{encryptedData: {{A: "{a}\\0"}}}}\n', "A", id="NUL"),
        pytest.param("{kind}\nspec: {{encryptedData: {{..: {a}}}}}\n", "..", id="no key"),
        pytest.param(
            "{kind}\nspec: {{encryptedData: {{A: {a}}}}}\n---\n{kind}\n",
            "one SealedSecret",
            id="two",
        ),
        pytest.param("kind: List\nitems: []\n", "SealedSecret", id="another kind"),
        pytest.param(
            "kind: Secret\nmetadata: {{name: a, namespace: b}}\nspec: {{encryptedData: {{A: {a}}}}}\n",
            "SealedSecret",
            id="another kind with values",
        ),
        pytest.param(
            "kind: SealedSecret\nmetadata: {{name: auth-secrets}}\nspec: {{encryptedData: {{A: {a}}}}}\n",
            "namespace",
            id="bound to nothing",
        ),
        pytest.param("kind: Secret\nstringData: {{A: c4n4ry}}\n", "SealedSecret", id="a Secret"),
    ],
)
def test_hostile_file_is_refused_with_its_line_and_nothing_is_written(
    shop: Path, run: Run, text: str, message: str
) -> None:
    data = json.loads(sealed_secret())
    kind = "kind: SealedSecret\nmetadata: {name: auth-secrets, namespace: services-dev}"
    a, b = data["spec"]["encryptedData"]["A"], data["spec"]["encryptedData"]["B"]
    (shop.parent / "sealed.yaml").write_text(text.format(kind=kind, a=a, b=b))
    code, _, err = run("../sealed.yaml", "--keys", "../keys.pem")
    assert code == 2
    assert "sealed.yaml" in err
    assert message in err
    assert opened(shop) == {}


def test_what_is_not_taken_over_is_said(shop: Path, run: Run) -> None:
    data = json.loads(sealed_secret())
    template = {"type": "kubernetes.io/tls", "data": {"url": "http://{{ .A }}"}, "immutable": True}
    data["spec"] |= {"template": template, "data": "c4n4ry"}
    (shop.parent / "sealed.yaml").write_text(json.dumps(data))
    code, _, err = run("../sealed.yaml", "--keys", "../keys.pem")
    assert code == 0, err
    assert "kubernetes.io/tls" in err
    sentence = " ".join(err.split())
    assert "spec.template.data, spec.template.immutable, spec.data" in sentence
    assert opened(shop) == PLAIN


def test_secret_with_a_key_twice_is_refused(shop: Path, run: Run) -> None:
    text = "kind: Secret\nstringData: {A: c4n4ry-1, A: c4n4ry-2}\n"
    code, _, err = run("--from-sops", "--certificate", "../cert.pem", stdin=text.encode())
    assert code == 2
    assert ":2" in err
    assert opened(shop) == {}
