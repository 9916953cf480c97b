"""Secrets that are missing, unreadable, deleted or new."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support import demos, endpoints, polling, scenes

from hanbae import masking
from hanbae.actions import new_service, seal
from hanbae.charts import values
from hanbae.policy import naming
from hanbae.sandbox import calling, system_images
from hanbae.sealing import certificates, encrypting


@pytest.fixture(scope="module")
def staging(demo: demos.Demo) -> scenes.Scene:
    """An environment in which nothing is deployed yet."""
    return scenes.own(demo.sandbox, "secrets", services=("personal",))


def blocked(scene: scenes.Scene, service: str) -> bool:
    """Whether an operation is left that would block the next deployment."""
    application = scene.operation(service)
    phase = application["status"].get("operationState", {}).get("phase")
    return "operation" in application or phase in {"Running", "Terminating"}


def test_missing_secret_then_a_missing_key_are_named_and_mended(staging: scenes.Scene) -> None:
    staging.create("bare", like="personal")
    staging.publish("A service without secrets")
    refused = staging.deploy("bare")
    assert refused.code == 5, refused.err
    seals = f"hanbae secrets seal bare DATABASE_URL --env {staging.environment}"
    assert seals in refused.err
    failed = staging.deploy("bare", "--no-preflight")
    assert failed.code == 1
    assert "diagnosis.secret-missing" in failed.causes
    assert "bare-secrets" in failed.err
    why = failed.only["why"]["id"]
    assert why == "diagnosis.secret-missing", "it waits for what cannot come"
    assert not blocked(staging, "bare")

    token = {"JWT_SECRET": staging.shop.token_key(staging.environment)}
    staging.seal_only("bare", token)
    staging.publish("One of its secrets")
    refused = staging.deploy("bare")
    assert refused.code == 5, refused.err
    assert seals in refused.err
    failed = staging.deploy("bare", "--no-preflight")
    assert failed.code == 1
    assert "diagnosis.secret-key-missing" in failed.causes
    assert "DATABASE_URL" in failed.err
    assert not blocked(staging, "bare")

    staging.seal("bare")
    staging.publish("All of its secrets")
    mended = staging.deploy("bare")
    assert mended.code == 0, mended.err
    assert staging.versions("bare", "bare_db") == [1, 2, 3]


def test_secret_sealed_for_another_service_is_named(staging: scenes.Scene) -> None:
    staging.create("locked", like="personal")
    staging.seal("locked")
    theirs = staging.values_of("personal").get("sealedSecret.encryptedData.DATABASE_URL")
    staging.edit("locked", {"sealedSecret.encryptedData.DATABASE_URL": theirs})
    staging.publish("A service with another one's secret")
    refused = staging.deploy("locked")
    assert refused.code == 5, refused.err
    assert json.loads(refused.out)["error"]["text"]["id"] == "gate.secret-not-opened"
    seals = f"hanbae secrets seal locked DATABASE_URL JWT_SECRET --env {staging.environment}"
    assert seals in refused.err, "the controller does not say which of them it cannot open"
    failed = staging.deploy("locked", "--no-preflight")
    assert failed.code == 1
    assert "diagnosis.undecryptable" in failed.causes
    assert "locked-secrets" in failed.err
    assert not blocked(staging, "locked")

    staging.seal("locked")
    staging.publish("Its own secret")
    mended = staging.deploy("locked")
    assert mended.code == 0, mended.err


def test_secret_rotated_together_with_a_migration(production: scenes.Scene) -> None:
    namespace, before = production.namespace("personal"), production.pods("personal")
    old = production.get("secret", "personal-secrets", namespace=namespace)["data"]
    # The database takes only the new password from now on: with the old secret the migration would fail.
    production.seal("personal")
    scenes.write_migrations(
        production.migrations("personal"),
        {"00004_add_language.sql": ["ALTER TABLE profiles ADD COLUMN language text;"]},
    )
    query = production.migrations("personal").parent / "queries.go"
    query.write_text('package main\n\nconst language = "SELECT language FROM profiles"\n')
    production.build("personal")
    production.publish("A new password and a new column")
    ended = production.deploy("personal")
    assert ended.code == 0, ended.err
    (migration,) = ended.only["migrations"]
    assert (migration["version"], migration["applied"]) == (4, [4])
    new = production.get("secret", "personal-secrets", namespace=namespace)["data"]
    assert new["DATABASE_URL"] != old["DATABASE_URL"]
    assert not before.keys() & production.pods("personal").keys()
    assert json.loads(endpoints.answer(production, "personal", "/readyz")) == {"ready": True}


def migrations(scene: scenes.Scene, verb: str) -> dict[str, Any]:
    """What ``hanbae migrations`` says of the service's database."""
    words = ("migrations", verb, "personal", "--env", scene.environment, "--output", "json")
    ended = scenes.hanbae(*words, directory=scene.clone, **scene.deployer())
    assert ended.code == 0, ended.err
    database: dict[str, Any]
    ((database,),) = [plan["databases"] for plan in json.loads(ended.out)["plans"]]
    return database


def test_a_contract_step_waits_for_the_version_before_it(production: scenes.Scene) -> None:
    """The version with migration 4 runs, and its code reads the column."""
    folder, before = production.migrations("personal"), production.operation("personal")["status"]
    expand, contract = "00005_expand.sql", "00005_contract.sql"
    drop = "ALTER TABLE profiles DROP COLUMN language;"
    later = f"-- hanbae: contract after 00005\n{drop}"

    def refused(message: str) -> tuple[str, str]:
        production.build("personal")
        production.publish(message)
        ended = production.deploy("personal")
        assert ended.code == 5, ended.err
        return json.loads(ended.out)["error"]["text"]["id"], ended.err

    steps = {expand: ["CREATE TABLE gadgets ();"], "00006_contract.sql": [later]}
    scenes.write_migrations(folder, steps)
    text, words = refused("Both steps at once")
    assert (text, "00006_contract.sql:" in words) == ("contract.before-expand", True), words

    for name in steps:
        (folder / name).unlink()
    scenes.write_migrations(folder, {contract: [drop]})
    (folder.parent / "queries.go").unlink()
    text, words = refused("Do without the column, and drop it")
    assert text == "contract.still-used", words
    assert f"{contract}:" in words
    assert "services/personal/queries.go:3" in words, "in the commit that runs"
    assert production.operation("personal")["status"]["operationState"] == before["operationState"]
    assert production.versions("personal", "personal_db") == [1, 2, 3, 4]
    database = migrations(production, "status")
    assert (database["basis"], database["at"]) == ("history", 4)

    scenes.write_migrations(folder, {contract: [f"-- hanbae: contract after 00004\n{drop}"]})
    production.build("personal")
    production.publish("Drop what nobody uses since migration 4")
    (pending,) = migrations(production, "plan")["pending"]
    assert pending["impacts"][0]["effect"]["action"] == "column-dropped"
    deployed = production.deploy("personal")
    assert deployed.code == 0, deployed.err
    assert deployed.only["migrations"][-1]["names"] == [contract]
    assert production.versions("personal", "personal_db") == [1, 2, 3, 4, 5]


def test_password_in_a_failing_migrations_log_is_masked(production: scenes.Scene) -> None:
    """goose prints the statement that failed; one that holds the password must not show it."""
    production.create("leaky", like="personal")
    urls = production.shop.make_databases("leaky", production.environment)
    token = production.shop.token_key(production.environment)
    production.seal_only("leaky", {**urls, "JWT_SECRET": token})
    password = urls["DATABASE_URL"].unmask().split(b":")[2].split(b"@")[0].decode()
    statements = (
        "-- +goose StatementBegin",
        f"DO $$ BEGIN RAISE 'nowhere: {password} {token.unmask().decode()}'; END $$;",
        "-- +goose StatementEnd",
    )
    scenes.write_migrations(production.migrations("leaky"), {"00004_leak.sql": statements})
    production.once("leaky")
    production.build("leaky", acts_as="personal")
    production.publish("A migration that talks")
    failed = production.deploy("leaky")
    assert failed.code == 1
    assert "nowhere" in failed.err
    history = b"".join(scenes.histories(production.shop.sandbox).values())
    for secret in (password, token.unmask().decode()):
        assert secret not in failed.out + failed.err
        assert secret.encode() not in history


def test_password_that_an_application_and_an_annotation_tell_is_masked(
    production: scenes.Scene,
) -> None:
    """What a crashing application said last is shown as the cause's evidence; its password is not."""
    production.create("chatty", like="personal")
    urls = production.shop.make_databases("chatty", production.environment)
    token = production.shop.token_key(production.environment)
    production.seal_only("chatty", {**urls, "JWT_SECRET": token})
    password = urls["DATABASE_URL"].unmask().split(b":")[2].split(b"@")[0].decode()
    production.set_environment("chatty", REQUIRED_TABLES=f"elsewhere.{password}")
    production.publish("An application that talks")
    failed = production.deploy("chatty", "--timeout", "60")
    note = {"metadata": {"annotations": {"note": password}}}
    words = ["patch", "deployment", "chatty-service", "-n", production.namespace("chatty")]
    production.shop.sandbox.kubectl(
        [*words, "--patch-file", "/dev/stdin"], stdin=json.dumps(note).encode()
    )
    again = production.deploy("chatty", "--timeout", "30", output="jsonl")
    assert failed.code == again.code == 1
    assert "diagnosis.crashing" in failed.causes
    assert "is not database.table of this service" in failed.err, "the application's own words"
    history = scenes.histories(production.shop.sandbox)
    for output in (failed.out, failed.err, again.out, again.err):
        assert password not in output
    for path, content in history.items():
        assert password.encode() not in content
        with suppress(FileNotFoundError):  # of another scene, whose last connection is closed
            assert path.stat().st_mode & 0o777 == 0o600, path.name


class Sealer:
    """A Sealed Secrets controller of a scene's own, from the real chart, whose key may be renewed.

    It looks at no object: whoever plays beside it has secrets that only the sandbox's own controller opens.
    """

    NAME = "sealer"
    KEYS = "sealedsecrets.bitnami.com/sealed-secrets-key"

    def __init__(self, scene: scenes.Scene) -> None:
        self.scene = scene
        self.namespace = f"sealer-{scene.environment}"

    def kubectl(self, *words: str, stdin: bytes | None = None) -> bytes:
        sandbox = self.scene.shop.sandbox
        return sandbox.kubectl([*words, "-n", self.namespace], stdin=stdin)

    def run(self, *more: str) -> None:
        """Bring it up with some more arguments, and wait until it answers as it is now."""
        programs = self.scene.shop.sandbox.binaries
        controller = system_images.reference(system_images.SEALED_SECRETS, programs)
        registry, repository = controller.split("/")
        image, tag = repository.split(":")
        arguments = ["--all-namespaces=false", "--update-status=false", *more]
        settings = {
            "fullnameOverride": self.NAME,
            "image.registry": registry,
            "image.repository": image,
            "image.tag": tag,
            "image.pullPolicy": "Never",
            "rbac.clusterRole": "false",
            "rbac.namespacedRoles": "true",
            "args": "{" + ",".join(argument.replace(",", "\\,") for argument in arguments) + "}",
        }
        site = self.scene.shop.sandbox.site
        command = [str(site.programs.path("helm")), "template", self.NAME]
        command += [str(site.programs.sealed_secrets_chart.resolve())]
        command += ["--namespace", self.namespace]
        for setting, value in settings.items():
            command += ["--set", f"{setting}={value}"]
        rendered = calling.run(command, environment=site.environment())
        self.kubectl("apply", "-f", "-", stdin=rendered)
        self.wait()

    def wait(self) -> None:
        """Until it runs as it is now, and no former pod answers in its place."""

        def obstacle() -> str:
            api = self.scene.shop.sandbox.site.api
            return api.rolled_out("deployments", self.namespace, self.NAME)

        polling.until(lambda: not obstacle(), pause=0.5, state=obstacle)

    def keys(self) -> dict[str, Any]:
        """Its keys, as a backup has them."""
        listed = self.kubectl("get", "secrets", "-l", self.KEYS, "-o", "json")
        backup: dict[str, Any] = json.loads(listed)
        return backup

    def renew(self) -> None:
        """Let it make a new key at once, as its administrator would."""
        before = len(self.keys()["items"])
        self.run("--key-cutoff-time", format_datetime(datetime.now(UTC)))
        polling.until(lambda: len(self.keys()["items"]) > before, pause=0.5)

    def forget(self, names: set[str]) -> None:
        """Take keys away from it, as after a leak."""
        self.kubectl("delete", "secret", *sorted(names))
        self.kubectl("rollout", "restart", f"deployment/{self.NAME}")
        self.wait()


OWN = """\
{{- /* Of a chart that keeps its SealedSecret as a template. */}}
{{- if .Release.Name }}
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: kept-own
  labels: {{- include "kept.labels" . | nindent 4 }}
spec:
  encryptedData:
    C: "VALUE" # of the vendor
{{- end }}
"""


@pytest.fixture
def sealer(staging: scenes.Scene) -> Iterator[Sealer]:
    staging.enter()
    controller = Sealer(staging)
    sandbox = staging.shop.sandbox
    sandbox.kubectl(["create", "namespace", controller.namespace])
    controller.run()
    with values.editing(staging.clone / "hanbae.yaml", "hanbae.yaml") as policy:
        name = f"{controller.namespace}/{controller.NAME}"
        policy.update({("secrets", "controller"): name})
    yield controller
    sandbox.kubectl(["delete", "namespace", controller.namespace, "--wait=false"])
    staging.enter()


def of_chart(staging: scenes.Scene, sealer: Sealer) -> Path:
    """A SealedSecret that the chart itself has, its value sealed for the controller's only key."""
    namespace = naming.namespace(staging.shop.policy, "kept", staging.environment)
    (key,) = sealer.keys()["items"]
    certificate = certificates.parse(base64.b64decode(key["data"]["tls.crt"]), "the controller")
    label = encrypting.label("strict", namespace, "kept-own")
    value = encrypting.encrypt(masking.Masked(b"third"), certificate.public_key, label)
    template = staging.clone / "services/kept/helm/templates/own.yaml"
    template.write_text(OWN.replace("VALUE", value))
    return template


def test_values_are_sealed_anew_once_the_controller_has_renewed_its_key(
    staging: scenes.Scene, sealer: Sealer, tmp_path: Path
) -> None:
    kubeconfig = {"KUBECONFIG": str(staging.shop.sandbox.kubeconfig)}
    new_service.new_service(staging.clone, "kept")
    path = staging.clone / naming.values_file(staging.shop.policy, "kept", staging.environment)

    def secrets(*words: str) -> scenes.Ended:
        words = ("secrets", *words, "--env", staging.environment)
        return scenes.hanbae(*words, directory=staging.clone, **kubeconfig)

    plaintexts = {"A": masking.Masked(b"first"), "DATABASE_URL": masking.Masked(b"second")}
    asyncio.run(
        seal.seal(
            staging.clone,
            "kept",
            staging.environment,
            plaintexts,
            kubeconfig=staging.shop.sandbox.kubeconfig,
            accept_certificate=True,  # the scene's other service is sealed for the sandbox's own
        )
    )
    first = {key["metadata"]["name"] for key in sealer.keys()["items"]}
    template = of_chart(staging, sealer)
    own = template.read_text()
    verified = secrets("verify", "--live", "kept")
    assert verified.code == 0, verified.err

    sealer.renew()
    before = path.read_text()
    refused = secrets("reseal", "kept")
    assert refused.code == 5, refused.err
    assert f"{path.relative_to(staging.clone)}:" in refused.err
    assert path.read_text() == before

    sealed = secrets("reseal", "kept", "--accept-certificate", "-o", "json")
    assert sealed.code == 0, sealed.err
    rows = json.loads(sealed.out)["resealed"]
    assert [row["keys"] for row in rows] == [["A", "DATABASE_URL"], ["C"]]
    anew = template.read_text()
    assert re.fullmatch(re.escape(OWN).replace("VALUE", "[A-Za-z0-9+/=]{700,}"), anew)
    assert anew != own
    backup = tmp_path / "keys.json"
    backup.write_text(json.dumps(sealer.keys()))
    whole = secrets("backup", "verify", str(backup), "kept")
    assert whole.code == 0, whole.err

    # The former key is gone: what is sealed anew opens, what was sealed before does not, and it is said why.
    sealer.forget(first)
    verified = secrets("verify", "--live", "kept")
    assert verified.code == 0, verified.err
    after = path.read_text()
    path.write_text(before)
    lost = secrets("verify", "--live", "kept")
    assert lost.code == 1
    assert "it has lost the former key" in lost.out
    unopened = secrets("reseal", "kept", "--accept-certificate")
    assert unopened.code == 1, unopened.err
    assert path.read_text() == before
    assert template.read_text() == anew
    offline = secrets("reseal", "kept", "--keys", str(backup), "--accept-certificate")
    assert offline.code == 0, offline.err
    assert secrets("verify", "--live", "kept").code == 0
    refuse_swapped(path, after, secrets)


def refuse_swapped(path: Path, text: str, secrets: Callable[..., scenes.Ended]) -> None:
    """A branch that swaps the certificate is not believed."""
    path.write_text(text)
    with values.editing(path, "values") as document:
        document.set("sealedSecret.certificate", f"sha256:{'0' * 64}")
    swapped = path.read_text()
    for command in ("reseal", "seal"):
        more = ("--generate", "D=32") if command == "seal" else ("--all",)
        refused = secrets(command, "kept", *more)
        assert refused.code == 5, refused.err
        assert "sha256:0000" in refused.err
        assert path.read_text() == swapped


def test_sealed_value_of_another_service_is_told_before_it_is_deployed(
    staging: scenes.Scene,
) -> None:
    staging.enter()
    new_service.new_service(staging.clone, "copied")
    theirs = staging.values_of("personal").get("sealedSecret.encryptedData.DATABASE_URL")
    staging.edit("copied", {"sealedSecret.encryptedData.DATABASE_URL": theirs})
    kubeconfig = {"KUBECONFIG": str(staging.shop.sandbox.kubeconfig)}
    words = ("secrets", "verify", "--live", "copied", "--env", staging.environment)
    ended = scenes.hanbae(*words, directory=staging.clone, **kubeconfig)
    assert ended.code == 1
    assert f"is the value of personal in {staging.environment}" in " ".join(ended.out.split())
    staging.enter()
