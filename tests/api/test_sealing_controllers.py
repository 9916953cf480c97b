"""``hanbae secrets`` and a real Sealed Secrets controller behind a real API server."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import sealers, standing_shops
from tests.support import sealing as keys

from hanbae import masking
from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.cli import main
from hanbae.clusters import sealing_controllers, service_proxies
from hanbae.policy import loading
from hanbae.sealing import certificates, encrypting, objects

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

Run = Callable[..., tuple[int, str, str]]
SCOPES = objects.SCOPES
PLAIN = {"A": b"c4n4ry-a", "B": bytes(range(256))}
VERIFY = "/v1/verify"


@pytest.fixture(scope="module")
def sealer(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sealers.Sealer]:
    controller = sealers.Sealer(control_plane, tmp_path_factory.mktemp("sealer"))
    try:
        controller.start()
        yield controller
    finally:
        controller.remove()


@pytest.fixture
def run(
    sealer: sealers.Sealer,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path / "state")

    def run(*words: str) -> tuple[int, str, str]:
        code = main.run(["--lang", "en", "secrets", *words, "--env", "dev", "--context", "admin"])
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two services, whose values are sealed for nobody yet."""
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    for service in ("auth", "identity"):
        new_service.new_service(root, service)
    monkeypatch.chdir(root)
    (tmp_path / "text.env").write_text("A=c4n4ry-a\nDATABASE_URL=c4n4ry-url\n")
    (tmp_path / "B.bin").write_bytes(PLAIN["B"])
    return root


def path(shop: Path, service: str = "auth") -> Path:
    return shop / "services" / service / "helm" / "values-dev.yaml"


def sealed(shop: Path, service: str = "auth") -> dict[str, str]:
    data = values.read(path(shop, service), "v").get(("sealedSecret", "encryptedData"))
    return {str(key): str(value) for key, value in (data or {}).items()}


def opened(shop: Path, sealer: sealers.Sealer, label: bytes) -> dict[str, bytes]:
    """What the controller's newest key, and no other, makes of the values of auth."""
    newest = sealer.keys()[sealer.fingerprint]
    return {
        key: encrypting.decrypt(text, [newest], label).unmask()
        for key, text in sealed(shop).items()
    }


def scoped(shop: Path, scope: encrypting.Scope) -> bytes:
    """Let the policy have a scope; what values of auth are bound to then."""
    policy = shop / "hanbae.yaml"
    text = policy.read_text()
    assert "\n  scope: strict\n" in text
    policy.write_text(text.replace("\n  scope: strict\n", f"\n  scope: {scope}\n"))
    return encrypting.label(scope, "services-dev", "auth-secrets")


def answers(output: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Service and key → the state, and why it is so."""
    return {
        (row["service"], row["key"]): (row["state"], (row.get("fault") or {}).get("id", ""))
        for row in json.loads(output)["keys"]
    }


SEAL = ("--from-env-file", "../text.env")


def test_controller_opens_what_is_sealed_and_a_refusal_is_explained(
    shop: Path, sealer: sealers.Sealer, run: Run
) -> None:
    for service in ("auth", "identity"):
        assert run("seal", service, *SEAL)[0] == 0
    code, out, err = run("verify", "--live", "-o", "json")
    assert code == 0, err
    every = {(service, key) for service in ("auth", "identity") for key in ("A", "DATABASE_URL")}
    assert answers(out) == dict.fromkeys(every, ("opened", ""))

    # Of these, which are not of their namespace, nobody asks.
    path(shop).with_name("values-staging.yaml").write_text(path(shop).read_text())
    public = certificates.parse(sealer.certificate(), "x").public_key
    strange = keys.key()
    lost = certificates.parse(keys.certificate(strange), "x").fingerprint
    own, wide = b"services-dev/auth-secrets", b"services-dev"
    with values.editing(path(shop), "v") as document:
        section: tuple[str, ...] = ("sealedSecret", "encryptedData")
        text = masking.Masked(b"c4n4ry")
        document.update(
            {
                (*section, "COPIED"): sealed(shop, "identity")["A"],
                (*section, "WIDE"): encrypting.encrypt(text, public, wide),
                (*section, "LOST"): encrypting.encrypt(text, strange.public_key(), own),
                (*section, "ODD"): encrypting.encrypt(text, public, b"services-dev/other"),
                ("sealedSecret", "certificates", "LOST"): lost,
            }
        )
    refused = sealer.answers(VERIFY, 429)
    code, out, _ = run("verify", "--live", "-o", "json")
    assert code == 1
    assert {row["environment"] for row in json.loads(out)["keys"]} == {"dev"}
    assert answers(out) == dict.fromkeys(every, ("opened", "")) | {
        ("auth", "COPIED"): ("refused", "seal.refused-copied"),
        ("auth", "WIDE"): ("refused", "seal.refused-scope"),
        ("auth", "LOST"): ("refused", "seal.refused-certificate"),
        ("auth", "ODD"): ("refused", "seal.refused"),
    }
    facts = {row["key"]: (row["fault"] or {}).get("facts") for row in json.loads(out)["keys"]}
    assert (facts["COPIED"]["service"], facts["COPIED"]["environment"]) == ("identity", "dev")
    assert (facts["WIDE"]["scope"], facts["WIDE"]["other"]) == ("strict", "namespace-wide")
    assert (facts["LOST"]["certificate"], facts["LOST"]["newest"]) == (lost, sealer.fingerprint)
    assert facts["ODD"]["secret"] == "services-dev/auth-secrets"
    assert sealer.answers(VERIFY, 429) == refused, "it is asked no faster than it answers"
    # Of the service that is asked about alone.
    code, out, _ = run("verify", "identity", "--live", "-o", "json")
    assert (code, {service for service, _ in answers(out)}) == (0, {"identity"})


OWN = """\
{{- if eq .Release.Namespace "services-dev" }}
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: auth-own
  annotations: {sealedsecrets.bitnami.com/namespace-wide: "true"}
spec:
  encryptedData: {C: VALUE}
{{- end }}
"""


def test_template_is_verified_and_sealed_anew_in_its_own_scope(
    shop: Path, sealer: sealers.Sealer, run: Run
) -> None:
    public = certificates.parse(sealer.certificate(), "x").public_key
    template = shop / "services/auth/helm/templates/own.yaml"

    def verified(label: bytes) -> tuple[str, str, str]:
        value = encrypting.encrypt(masking.Masked(b"c4n4ry"), public, label)
        template.write_text(OWN.replace("VALUE", value))
        rows = json.loads(run("verify", "auth", "--live", "-o", "json")[1])["keys"]
        (row,) = [row for row in rows if row["key"] == "C"]
        return row["secret"], row["state"], ((row["fault"] or {}).get("facts") or {}).get("other")

    assert verified(b"services-dev") == ("auth-own", "opened", None)
    assert verified(b"services-dev/auth-own") == ("auth-own", "refused", "strict")

    verified(b"services-dev")
    sealer.renew()
    code, out, err = run("reseal", "auth", "-o", "json")
    assert code == 0, err
    (row,) = json.loads(out)["resealed"]
    assert (row["keys"], row["certificate"]) == (["C"], sealer.fingerprint)
    head, tail = OWN.split("VALUE")
    value = template.read_text().removeprefix(head).removesuffix(tail)
    newest = sealer.keys()[sealer.fingerprint]
    assert encrypting.decrypt(value, [newest], b"services-dev").unmask() == b"c4n4ry"


def test_old_controller_is_told_though_it_opens_everything(
    shop: Path, sealer: sealers.Sealer, run: Run
) -> None:
    assert run("seal", "auth", *SEAL)[0] == 0
    image = "registry.example.com/sealed-secrets-controller:0.39.9"
    sealer.kubectl("create", "deployment", "old", f"--image={image}")
    try:
        code, out, err = run("verify", "auth", "--live")
    finally:
        sealer.kubectl("delete", "deployment", "old")
    assert (code, out) == (1, "")
    assert f"{image}" in "".join(err.split())
    assert "0.40.0" in err
    assert run("verify", "auth", "--live")[0] == 0


def test_controller_that_is_asked_by_others_as_well_is_asked_again(
    shop: Path,
    sealer: sealers.Sealer,
    run: Run,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("seal", "auth", *SEAL)[0] == 0
    policy = loading.load(shop / "hanbae.yaml").policy
    manifest = objects.least("services-dev", "auth-secrets", "strict", sealed(shop))
    is_refused = threading.Event()
    unwatched = service_proxies.request

    async def request(*place: Any, **options: Any) -> service_proxies.Answer:
        answer = await unwatched(*place, **options)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            is_refused.set()
        return answer

    monkeypatch.setattr(service_proxies, "request", request)

    def ask() -> None:
        while not is_refused.is_set():
            sealer.ask(VERIFY, manifest)

    async def opens() -> bool:
        where: dict[str, Any] = {"context": "admin", "kubeconfig": control_plane.kubeconfig}
        async with (
            asyncio.timeout(60),
            sealing_controllers.reached(policy, "dev", **where) as controller,
        ):
            while await controller.opens(manifest):
                if is_refused.is_set():
                    return True
            return False

    others = [threading.Thread(target=ask) for _ in range(2)]
    for other in others:
        other.start()
    try:
        assert asyncio.run(opens()), "what was refused for the pace alone is asked again"
    finally:
        is_refused.set()
        for other in others:
            other.join()


def test_pace_is_the_one_that_was_asked_for(
    shop: Path, sealer: sealers.Sealer, run: Run, control_plane: ControlPlane
) -> None:
    assert run("seal", "auth", *SEAL)[0] == 0
    policy = loading.load(shop / "hanbae.yaml").policy
    manifest = objects.least("services-dev", "auth-secrets", "strict", sealed(shop))

    async def duration(times: int, per_second: float) -> float:
        where: dict[str, Any] = {"context": "admin", "kubeconfig": control_plane.kubeconfig}
        where["per_second"] = per_second
        async with sealing_controllers.reached(policy, "dev", **where) as controller:
            start = time.monotonic()
            for _ in range(times):
                assert await controller.opens(manifest)
            return time.monotonic() - start

    assert asyncio.run(duration(3, 1.0)) >= 1.9
    assert asyncio.run(duration(6, sealing_controllers.PER_SECOND)) >= 2.4


@pytest.mark.parametrize("scope", SCOPES)
def test_controller_seals_values_of_every_scope_anew(
    shop: Path, sealer: sealers.Sealer, run: Run, scope: encrypting.Scope
) -> None:
    label = scoped(shop, scope)
    more = ("--from-file", "B=../B.bin", "--binary")
    assert run("seal", "auth", "--from-env-file", "../text.env", *more)[0] == 0
    former, before = sealer.fingerprint, path(shop).read_text()
    sealer.renew()
    assert sealer.fingerprint != former
    code, _, err = run("reseal", "auth")
    assert code == 5, err
    assert path(shop).read_text() == before
    code, out, err = run("reseal", "auth", "--accept-certificate", "-o", "json")
    assert code == 0, err
    (row,) = json.loads(out)["resealed"]
    assert (row["certificate"], row["former"]) == (sealer.fingerprint, [former])
    assert opened(shop, sealer, label) == PLAIN | {"DATABASE_URL": b"c4n4ry-url"}
    document = values.read(path(shop), "v")
    assert document.get("sealedSecret.certificate") == sealer.fingerprint
    after = path(shop).read_text()
    assert run("reseal", "auth")[0] == 0
    assert path(shop).read_text() == after, "it is sealed for the newest key already"
    assert run("reseal", "auth", "--all")[0] == 0
    assert path(shop).read_text() != after


def test_one_value_that_the_controller_has_lost_leaves_every_file_as_it_was(
    shop: Path, sealer: sealers.Sealer, run: Run
) -> None:
    assert run("seal", "auth", *SEAL)[0] == 0
    former = sealer.fingerprint
    sealer.renew()
    assert run("seal", "identity", *SEAL, "--accept-certificate")[0] == 0
    lost = encrypting.encrypt(
        masking.Masked(b"c4n4ry"), keys.key().public_key(), b"services-dev/identity-secrets"
    )
    with values.editing(path(shop, "identity"), "v") as document:
        document.set("sealedSecret.encryptedData.LOST", lost)
    before = {service: path(shop, service).read_text() for service in ("auth", "identity")}
    code, _, err = run("reseal", "--all", "--accept-certificate")
    assert code == 1
    assert "identity LOST" in " ".join(err.split())
    assert {service: path(shop, service).read_text() for service in before} == before
    code, _, err = run("reseal", "auth", "--accept-certificate")
    assert code == 0, err
    sealer.forget(former)
    code, _, err = run("verify", "auth", "--live")
    assert code == 0, err


@pytest.mark.parametrize("scope", SCOPES)
def test_what_kubeseal_wrote_is_opened_and_sealed_anew_by_the_controller(
    shop: Path,
    sealer: sealers.Sealer,
    run: Run,
    control_plane: ControlPlane,
    scope: encrypting.Scope,
) -> None:
    label = scoped(shop, scope)
    (shop.parent / "cert.pem").write_bytes(sealer.certificate())
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "auth-secrets", "namespace": "services-dev"},
        "data": {name: base64.b64encode(value).decode() for name, value in PLAIN.items()},
    }
    kubeseal = [str(control_plane.programs.path("kubeseal")), "--scope", scope]
    ended = subprocess.run(
        [*kubeseal, "--cert", "../cert.pem", "--format", "yaml"],
        input=json.dumps(secret).encode(),
        capture_output=True,
        check=True,
    )
    (shop.parent / "sealed.yaml").write_bytes(ended.stdout)
    sealer.renew()
    before = path(shop).read_text()
    for other in SCOPES:
        if other != scope:
            scoped_otherwise = (shop / "hanbae.yaml").read_text()
            text = scoped_otherwise.replace(f"  scope: {scope}\n", f"  scope: {other}\n")
            (shop / "hanbae.yaml").write_text(text)
            code, _, err = run("import", "auth", "../sealed.yaml")
            assert code == 2, err
            assert scope in err
            assert path(shop).read_text() == before
            (shop / "hanbae.yaml").write_text(scoped_otherwise)
    code, out, err = run("import", "auth", "../sealed.yaml")
    assert code == 0, err
    assert out.split() == ["auth", "A", "auth", "B"]
    assert opened(shop, sealer, label) == PLAIN
    document = values.read(path(shop), "v")
    assert document.get("sealedSecret.certificate") == sealer.fingerprint


def test_foreign_value_that_the_controller_does_not_open_is_not_taken_over(
    shop: Path, sealer: sealers.Sealer, run: Run
) -> None:
    label = b"services-dev/auth-secrets"
    public = certificates.parse(sealer.certificate(), "x").public_key
    encrypted = {
        "A": encrypting.encrypt(masking.Masked(b"c4n4ry"), public, label),
        "B": encrypting.encrypt(masking.Masked(b"c4n4ry"), keys.key().public_key(), label),
    }
    manifest = objects.least("services-dev", "auth-secrets", "strict", encrypted)
    (shop.parent / "sealed.yaml").write_text(json.dumps(manifest))
    before = path(shop).read_text()
    code, _, err = run("import", "auth", "../sealed.yaml")
    assert code == 1
    assert "auth B" in " ".join(err.split())
    assert path(shop).read_text() == before
    with values.editing(path(shop), "v") as document:
        document.update({("sealedSecret", "certificate"): f"sha256:{'0' * 64}"})
    remembered = path(shop).read_text()
    code, _, err = run("import", "auth", "../sealed.yaml", "--key", "A")
    assert code == 5
    assert "sha256:0000" in err
    assert path(shop).read_text() == remembered
    path(shop).write_text(before)
    assert run("import", "auth", "../sealed.yaml", "--key", "A")[0] == 0
    assert opened(shop, sealer, label) == {"A": b"c4n4ry"}


@pytest.fixture
def running(sealer: sealers.Sealer) -> Iterator[None]:
    """Secrets that run in the namespace of dev."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "services-dev"}}
    encoded = {name: base64.b64encode(value).decode() for name, value in PLAIN.items()}
    manifests = [
        space,
        {"name": "auth-secrets", "type": "Opaque", "data": encoded},
        {"name": "login", "type": "example.com/odd", "data": {"TOKEN": encoded["A"]}},
    ]
    items = [
        manifest
        if "kind" in manifest
        else {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": manifest.pop("name"), "namespace": "services-dev"},
            **manifest,
        }
        for manifest in manifests
    ]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    sealer.kubectl("apply", "-n", "services-dev", "-f", "-", stdin=listed)
    yield
    sealer.kubectl("delete", "secrets", "auth-secrets", "login", "-n", "services-dev")


def test_secret_that_runs_is_sealed_as_it_is(
    shop: Path, sealer: sealers.Sealer, run: Run, running: None
) -> None:
    label = b"services-dev/auth-secrets"
    before = path(shop).read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", None)  # nothing is asked
        code, out, err = run("import", "auth", "--from-cluster", "--key", "A")
        assert code == 0, err
        assert out.split() == ["A"]
        assert opened(shop, sealer, label) == {"A": PLAIN["A"]}
        code, _, err = run("import", "auth", "--from-cluster", "--secret", "login")
        assert code == 0, err
        assert "example.com/odd" in err
        assert opened(shop, sealer, label) == {"A": PLAIN["A"], "TOKEN": PLAIN["A"]}
        path(shop).write_text(before)
        for words, message in (
            (("--secret", "absent"), "services-dev/absent"),
            (("--key", "NEVER"), "NEVER"),
            # Its pods read it as variables, of which none can hold this.
            (("--key", "B"), "B"),
        ):
            code, _, err = run("import", "auth", "--from-cluster", *words)
            assert code in (2, 5), words
            assert message in err
            assert path(shop).read_text() == before


@pytest.mark.filterwarnings("ignore::hanbae.wording.Warned")
def test_cluster_on_which_anybody_may_answer_is_not_asked(
    shop: Path, sealer: sealers.Sealer, run: Run, running: None, control_plane: ControlPlane
) -> None:
    kubeconfig = json.loads(control_plane.kubeconfig.read_text())
    cluster = kubeconfig["clusters"][0]["cluster"]
    del cluster["certificate-authority-data"]
    cluster["insecure-skip-tls-verify"] = True
    unverified = shop.parent / "kubeconfig"
    unverified.write_text(json.dumps(kubeconfig))
    assert run("seal", "auth", *SEAL)[0] == 0
    before = path(shop).read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(unverified))
        for words in (("import", "auth", "--from-cluster"), ("reseal",), ("verify", "--live")):
            code, _, err = run(*words)
            assert code == 5, err
            assert "--unverified-cluster" in err
            assert path(shop).read_text() == before
