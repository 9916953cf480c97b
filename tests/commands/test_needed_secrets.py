"""Which Secrets the pods of foreign charts read and who makes them, and views of a repository with a broken chart."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.support import foreign, scenes, sealing

from hanbae import masking
from hanbae.sealing import encrypting

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec:
      containers:
        - name: main
          image: r.example.com/x:v1
          env:
"""
VARIABLE = "            - {name: %s, valueFrom: {secretKeyRef: {name: %s, key: %s}}}\n"
MAKERS = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: tokens}
spec: {target: {name: tokens}, data: [{secretKey: jwt, remoteRef: {key: jwt}}]}
---
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: store}
spec: {provider: aws, secretObjects: [{secretName: stored, type: Opaque, data: [{key: pass, objectName: p}]}]}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: db}
spec: {instances: 1}
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: own, namespace: "{{ .Release.Namespace }}"}
spec: {encryptedData: {url: %s, bad: AgB}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    foreign.write(folder)
    key = sealing.key()
    sealed = encrypting.encrypt(masking.Masked(b"x"), key.public_key(), b"l")
    expected = {
        "own": ("url", "bad", "gone"),
        "tokens": ("jwt", "other"),
        "stored": ("pass",),
        "db-app": ("uri",),
        "shared": ("password",),
        "nowhere": ("key",),
    }
    pairs = [(name, own) for name, keys in expected.items() for own in keys]
    variables = "".join(VARIABLE % (f"V{index}", *pair) for index, pair in enumerate(pairs))
    templates = folder / "services/auth/helm/templates"
    (templates / "pod.yaml").write_text(POD + variables)
    (templates / "makers.yaml").write_text(MAKERS % sealed)
    (folder / "charts/pay/templates/shared.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: shared}\nstringData: {password: x}\n"
    )
    for words in (("init", "-q", "-b", "develop"), ("add", "-A"), ("commit", "-qm", "x")):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)
    return folder


def ran(root: Path, *words: str) -> scenes.Ended:
    return scenes.hanbae(*words, directory=root, XDG_CACHE_HOME=str(root.parent / "cache"))


def test_every_key_that_pods_read_has_its_maker(root: Path) -> None:
    ended = ran(root, "secrets", "list", "auth", "--env", "dev", "--output", "json")
    assert ended.code == 0, ended.err
    keys = {(item["secret"], item["key"]): item for item in json.loads(ended.out)["keys"]}
    assert {place: (item["state"], item["maker"]) for place, item in keys.items()} == {
        ("own", "url"): ("sealed", "SealedSecret own"),
        ("own", "bad"): ("malformed", "SealedSecret own"),
        ("own", "gone"): ("missing", "SealedSecret own"),
        ("tokens", "jwt"): ("made", "ExternalSecret tokens"),
        ("tokens", "other"): ("missing", "ExternalSecret tokens"),
        ("stored", "pass"): ("made", "SecretProviderClass store"),
        ("db-app", "uri"): ("made", "Cluster db"),
        ("shared", "password"): ("made", "Secret shared"),
        ("nowhere", "key"): ("missing", ""),
    }
    assert {tuple(item["read_by"]) for item in keys.values()} == {("Deployment/auth",)}
    ended = ran(root, "secrets", "verify", "auth", "--env", "dev")
    assert ended.code == 1
    assert "nowhere/key" in ended.out
    assert "own/url" not in ended.out


def test_check_names_only_what_nothing_makes(root: Path) -> None:
    ended = ran(root, "check", "--output", "json")
    named = {
        finding["text"]["facts"]["secret"]
        for finding in json.loads(ended.out)["findings"]
        if finding["code"] == "SEC001"
    }
    # No pod mounts the SecretProviderClass, so that nothing makes the Secret of it.
    assert named == {"nowhere", "stored"}


@pytest.mark.parametrize(
    "words",
    [
        ("secrets", "list"),
        ("secrets", "verify"),
        ("generate", "rbac", "--check"),
        ("history", "list"),
        ("render",),
        ("check",),
        ("generate", "argocd", "--check"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("broken", ["template", "chart", "values"])
def test_views_show_the_rest_where_one_service_is_broken(
    root: Path, words: tuple[str, ...], broken: str
) -> None:
    chart = root / "charts/pay"
    if broken == "template":
        (chart / "templates/settings.yaml").write_text("{{ .Values.x.y.z }}{{ fail }}")
    elif broken == "chart":
        (chart / "Chart.yaml").write_text("apiVersion: [\n")
    else:
        (root / "envs/dev/pay.yaml").write_text("level: [\n")
    whole = ran(root, *words, "--output", "json") if words[0] != "generate" else ran(root, *words)
    assert whole.code not in (70, 2) or words[0] != "history", whole.err
    assert "Traceback" not in whole.err
    shown = whole.out + whole.err
    if words[0] in ("secrets", "render", "check"):
        assert '"auth"' in shown, shown[:2000]
    if words[0] in ("secrets", "render"):
        assert "pay" in whole.err, whole.err
    if words[:2] == ("generate", "rbac") and broken == "values":
        assert "k8s/rbac/prod" in shown, shown[:2000]
