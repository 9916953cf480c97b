"""Nothing is sealed for a stranger: not over a connection that anybody may answer, nor for a key that changed."""

from __future__ import annotations

import http.server
import io
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives import serialization
from ruamel.yaml import YAML
from tests.support import layouts, sealing

from hanbae.actions import new_service
from hanbae.cli import main
from hanbae.sealing import certificates, pins

OWN, STRANGER = sealing.key(), sealing.key("stranger")
CANARY = "TOP-SECRET-C4N4RY"
CONTROLLER = "kube-system/sealed-secrets-controller"
PEM = {"own": sealing.certificate(OWN), "stranger": sealing.certificate(STRANGER)}
FINGERPRINT = {name: certificates.parse(pem, name).fingerprint for name, pem in PEM.items()}
pytestmark = pytest.mark.filterwarnings("ignore::hanbae.wording.Warned")
Run = Callable[..., tuple[int, str, str]]


@dataclass
class Answerer:
    """An API server that answers with a certificate, over TLS or not, and keeps what it was asked."""

    pem: bytes
    tls: Path | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        answerer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def do_GET(self) -> None:
                answerer.requests.append((self.path, self.headers.get("authorization", "")))
                service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "x"}}
                service["spec"] = {"ports": [{"port": 8080}]}  # type: ignore[assignment]  # any JSON
                proxied = self.path.endswith("/v1/cert.pem")
                body = answerer.pem if proxied else json.dumps(service).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A key and its certificate for TLS on this machine."""
    key = sealing.key("tls")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "tls.pem"
    path.write_bytes(pem + sealing.certificate(key, name="127.0.0.1", address="127.0.0.1"))
    return path


@pytest.fixture
def answering() -> Iterator[Callable[..., Answerer]]:
    servers: list[Answerer] = []

    def start(*arguments: Any, **options: Any) -> Answerer:
        servers.append(Answerer(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    layouts.begin(root, "clusters")
    new_service.new_service(root, "auth")
    (tmp_path / "own.pem").write_bytes(PEM["own"])
    (tmp_path / "stranger.pem").write_bytes(PEM["stranger"])
    return root


@pytest.fixture
def run(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*arguments: str, stdin: str = CANARY) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = main.run(["--lang", "en", "-C", str(shop), "secrets", *arguments])
        captured = capsys.readouterr()
        assert CANARY not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


SEAL = ("seal", "auth", "JWT_SECRET", "--env", "production", "--stdin")


def kubeconfig(
    monkeypatch: pytest.MonkeyPatch, folder: Path, server: str, **cluster: object
) -> None:
    document = {
        "contexts": [{"name": "production", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": {"token": "KUBE-C4N4RY-TOKEN"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(document))
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))


def production(shop: Path) -> Any:
    text = (shop / "services/auth/helm/values-prod.yaml").read_text()
    return YAML(typ="safe").load(text)["sealedSecret"]


ATTACKS = {
    "http": {},
    "TLS that nobody verifies": {"insecure-skip-tls-verify": True},
}


@pytest.mark.parametrize("pinned", [True, False], ids=["known controller", "first use"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_certificate_that_anybody_could_have_sent_is_refused_before_anything_is_sent(
    shop: Path,
    run: Run,
    tmp_path: Path,
    pair: Path,
    answering: Callable[..., Answerer],
    monkeypatch: pytest.MonkeyPatch,
    attack: str,
    *,
    pinned: bool,
) -> None:
    if pinned:
        assert run(*SEAL, "--certificate", str(tmp_path / "own.pem"))[0] == 0
    before = production(shop)
    server = answering(PEM["stranger"], tls=pair if ATTACKS[attack] else None)
    kubeconfig(monkeypatch, tmp_path, server.address, **ATTACKS[attack])
    code, _, err = run(*SEAL, "--accept-certificate")
    assert (code, "--unverified-cluster" in err) == (5, True), err
    assert server.requests == []
    assert production(shop) == before
    # Named, the connection is taken; the pin of a known controller is another matter.
    code, _, err = run(*SEAL, "--unverified-cluster")
    assert code == (5 if pinned else 0), err
    assert production(shop).get("certificate") == (
        FINGERPRINT["own"] if pinned else FINGERPRINT["stranger"]
    )


@pytest.mark.parametrize("source", ["cluster of the policy", "context", "file"])
def test_a_certificate_that_differs_is_refused_whoever_names_it(
    shop: Path,
    run: Run,
    tmp_path: Path,
    pair: Path,
    answering: Callable[..., Answerer],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    assert run(*SEAL, "--certificate", str(tmp_path / "own.pem"))[0] == 0
    before = production(shop)
    server = answering(PEM["stranger"], tls=pair)
    kubeconfig(monkeypatch, tmp_path, server.address, **{"certificate-authority": str(pair)})
    more = {
        "cluster of the policy": (),
        "context": ("--context", "production"),
        "file": ("--certificate", str(tmp_path / "stranger.pem")),
    }[source]
    code, _, err = run(*SEAL, *more)
    assert code == 5, err
    assert FINGERPRINT["own"] in err
    assert FINGERPRINT["stranger"] in err
    assert "--accept-certificate" in err
    assert production(shop) == before


def test_another_service_as_controller_in_a_branch_is_met_by_the_same_pin(
    shop: Path,
    run: Run,
    tmp_path: Path,
    pair: Path,
    answering: Callable[..., Answerer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(*SEAL, "--certificate", str(tmp_path / "own.pem"))[0] == 0
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text().replace(CONTROLLER, "team-x/handy-server"))
    server = answering(PEM["stranger"], tls=pair)
    kubeconfig(monkeypatch, tmp_path, server.address, **{"certificate-authority": str(pair)})
    assert run(*SEAL)[0] == 5
    assert any("team-x" in path for path, _ in server.requests)


def test_a_branch_that_takes_the_pin_out_does_not_make_the_controller_a_new_one(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    new_service.new_service(shop, "mail")
    own, stranger = (("--certificate", str(tmp_path / f"{n}.pem")) for n in ("own", "stranger"))
    assert run(*SEAL, *own)[0] == 0
    mail = ("seal", "mail", "JWT_SECRET", "--env", "production", "--stdin")
    code, _, err = run(*mail, *stranger)
    assert (code, FINGERPRINT["own"] in err) == (5, True), err
    assert run(*mail, *own)[0] == 0


def test_the_first_certificate_is_shown_with_where_it_came_from(
    shop: Path,
    run: Run,
    tmp_path: Path,
    pair: Path,
    answering: Callable[..., Answerer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = answering(PEM["own"], tls=pair)
    kubeconfig(monkeypatch, tmp_path, server.address, **{"certificate-authority": str(pair)})
    code, _, err = run(*SEAL)
    assert code == 0, err
    for part in (FINGERPRINT["own"], CONTROLLER, server.address):
        assert part in err
    code, out, err = run(*SEAL, "--output", "json")
    assert code == 0
    assert FINGERPRINT["own"] not in err  # it is only news once
    assert json.loads(out)["certificate"] == FINGERPRINT["own"]
    _, out, _ = run("list", "auth", "--env", "production")
    assert FINGERPRINT["own"][:23] in out
    _, out, _ = run("list", "auth", "--env", "production", "--output", "json")
    (key,) = [key for key in json.loads(out)["keys"] if key["key"] == "JWT_SECRET"]
    assert key["certificate"] == FINGERPRINT["own"]


def test_values_that_stay_sealed_for_the_old_key_are_named_and_keep_their_pin(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    own, renewed = (("--certificate", str(tmp_path / f"{n}.pem")) for n in ("own", "stranger"))
    for key in ("A", "B", "JWT_SECRET"):
        assert run("seal", "auth", key, "--env", "production", "--stdin", *own)[0] == 0
    assert "certificates" not in production(shop)
    code, _, err = run(*SEAL, *renewed, "--accept-certificate")
    assert code == 0
    assert "Still sealed for the former certificate of production: A, B." in err
    section = production(shop)
    assert section["certificate"] == FINGERPRINT["stranger"]
    assert section["certificates"] == {"A": FINGERPRINT["own"], "B": FINGERPRINT["own"]}
    # Sealed anew, a value has the file's pin again; the other one is still named.
    code, _, err = run("seal", "auth", "A", "--env", "production", "--stdin", *renewed)
    assert (code, "production: B." in err) == (0, True), err
    assert production(shop)["certificates"]["A"] == FINGERPRINT["stranger"]
    _, out, _ = run("list", "auth", "--env", "production", "--output", "json")
    listed = {key["key"]: key["certificate"] for key in json.loads(out)["keys"]}
    assert (listed["A"], listed["B"]) == (FINGERPRINT["stranger"], FINGERPRINT["own"])


def test_charts_of_older_scaffolds_are_not_given_pins_that_their_schema_refuses(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    path = shop / "services/auth/helm/values.schema.json"
    schema = json.loads(path.read_text())
    del schema["properties"]["sealedSecret"]["properties"]["certificates"]
    path.write_text(json.dumps(schema))
    own, renewed = (("--certificate", str(tmp_path / f"{n}.pem")) for n in ("own", "stranger"))
    assert run("seal", "auth", "A", "--env", "production", "--stdin", *own)[0] == 0
    code, _, err = run(*SEAL, *renewed, "--accept-certificate")
    assert (code, "production: A." in err) == (0, True)
    assert "certificates" not in production(shop)


@pytest.mark.parametrize("section", [None, [], "x", {"encryptedData": []}, {"certificates": "x"}])
def test_odd_values_have_no_pins(section: object) -> None:
    assert pins.of(section, "A") == ""
    assert pins.renewal(section, ["A"], "sha256:x") == pins.Renewal({}, ())


def test_pins_of_other_files_are_read_without_parsing_them() -> None:
    text = b"sealedSecret:\n  certificate: 'sha256:aa'\n  # certificate: sha256:bb\nother: certificate\n"
    assert pins.mentioned(text) == {"sha256:aa"}
    assert pins.mentioned(b" " * 1_000_000 + b"certificate:") == set()
