"""A repository with one chart, at its root or in one folder, through the commands: from ``init`` to an image."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.support import peers, scenes, sealing

from hanbae import libyaml

CHART = "apiVersion: v2\nname: shop\nversion: 0.1.0\nappVersion: v1\n"
VALUES = "image: {repository: r.example.com/shop, tag: v1}\nlevel: none\n"
PODS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          env:
            - {name: LEVEL, value: {{ .Values.level | quote }}}
            - name: DATABASE_URL
              valueFrom: {secretKeyRef: {name: "{{ .Release.Name }}-secret", key: database-url}}
"""
SEALED = """\
{{- with .Values.sealedSecret }}
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: "{{ $.Release.Name }}-secret", namespace: "{{ $.Release.Namespace }}"}
spec:
  encryptedData: {{- toYaml .encryptedData | nindent 4 }}
{{- end }}
"""
URL = "https://git.example.com/shop.git"


@pytest.fixture(params=[".", "helm"])
def chart(request: pytest.FixtureRequest) -> str:
    """The chart's folder."""
    folder: str = request.param
    return folder


@pytest.fixture
def root(tmp_path: Path, chart: str) -> Path:
    repository = tmp_path / "repository"
    files = {"Chart.yaml": CHART, "values.yaml": VALUES, "templates/pods.yaml": PODS}
    files |= {"templates/sealed.yaml": SEALED}
    files |= {f"values-{name}.yaml": f"level: {name}\n" for name in ("dev", "prod")}
    for name, text in files.items():
        path = repository / chart / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (repository / "README.md").write_text("# Shop\n")
    git(repository, "init", "-q", "-b", "develop")
    git(repository, "remote", "add", "origin", URL)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first")
    git(repository, "branch", "main")
    ended = ran(repository, "init", "--yes", "--one-cluster")
    assert ended.code == 0, ended.err
    policy = repository / "hanbae.yaml"
    for environment, branch in (("dev", "develop"), ("prod", "main")):
        text = policy.read_text()
        start = text.index(f"\n  {environment}:\n")
        head, _, tail = text[start:].partition("    branch: ")
        policy.write_text(text[:start] + head + f"    branch: {branch}\n" + tail.partition("\n")[2])
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "policy")
    return repository


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def ran(root: Path, *words: str) -> scenes.Ended:
    return scenes.hanbae(*words, directory=root, XDG_CACHE_HOME=str(root.parent / "cache"))


def test_policy_names_the_chart_and_its_releases_are_those_of_helm(root: Path, chart: str) -> None:
    services = yaml.safe_load((root / "hanbae.yaml").read_text())["services"]
    assert services["named"] == {"shop": {"path": chart}}
    assert "path" not in services
    ended = ran(root, "render", "--output", "json")
    releases = json.loads(ended.out)["releases"]
    assert [item["environment"] for item in releases] == ["dev", "prod"], ended.err
    folder = root / chart
    for release in releases:
        own = folder / f"values-{release['environment']}.yaml"
        command = [peers.program(peers.HELM), "template", release["release"], folder]
        command += ["--namespace", release["namespace"], "--values", folder / "values.yaml"]
        printed = subprocess.run(
            [*command, "--values", own], env={"HOME": str(root)}, capture_output=True, check=True
        ).stdout.decode()
        assert release["objects"] == list(libyaml.load_all(printed))


def test_findings_have_places_in_the_chart(root: Path, chart: str) -> None:
    path = root / chart / "templates/pods.yaml"
    path.write_text(
        path.read_text().replace("{app: shop}}\n  template", "{app: other}}\n  template")
    )
    ended = ran(root, "check", "--output", "json")
    findings = json.loads(ended.out)["findings"]
    places = {finding["place"]["file"] for finding in findings if finding["code"] == "KUB011"}
    assert {finding["place"]["file"][:2] for finding in findings} & {"./", "/t"} == set()
    assert (root / next(iter(places or {"hanbae.yaml"}))).is_file()
    assert f"{chart}/templates/pods.yaml".removeprefix("./") in {
        finding["place"]["file"] for finding in findings
    }, ended.out


def test_change_of_the_chart_is_planned_and_checked(root: Path, chart: str) -> None:
    (root / chart / "values-dev.yaml").write_text("level: other\n")
    git(root, "commit", "-qam", "level")
    ended = ran(root, "plan", "--base", "HEAD~1", "--head", "HEAD", "--output", "json")
    compared = json.loads(ended.out)["services"]
    assert [(item["service"], item["environment"]) for item in compared] == [("shop", "dev")]
    (root / chart / "templates/pods.yaml").write_text("kind: [\n")
    ended = ran(root, "check", "--changed-since", "HEAD", "--output", "json")
    places = {finding["place"]["file"] for finding in json.loads(ended.out)["findings"]}
    assert f"{chart}/templates/pods.yaml".removeprefix("./") in places, ended.out


def test_applications_deploy_the_chart_s_folder(root: Path, chart: str) -> None:
    assert ran(root, "generate", "argocd").code == 0
    text = next((root / "k8s/argocd/dev").glob("*applicationset*")).read_text()
    documents = [document for document in yaml.safe_load_all(text) if document]
    (applications,) = [item for item in documents if item["kind"] == "ApplicationSet"]
    own = [item["git"] for item in applications["spec"]["generators"] if "files" in item["git"]]
    (generator,) = own
    source = generator["template"]["spec"]["source"]
    assert source["path"] == chart
    assert source["helm"]["valueFiles"] == ["values.yaml", "values-dev.yaml"]
    expected = "Chart.yaml" if chart == "." else f"{chart}/Chart.yaml"
    assert generator["files"] == [{"path": expected}]
    git(root, "add", "-A")
    findings = json.loads(ran(root, "check", "--output", "json").out)["findings"]
    assert not [item for item in findings if item["code"].startswith("ARG")], findings


def test_image_and_secret_are_written_into_the_environment_s_values(
    root: Path, chart: str, tmp_path: Path
) -> None:
    ended = ran(
        root, "image", "set", "shop", "r.example.com/shop:v2", "--env", "dev", "--no-resolve"
    )
    values = root / chart / "values-dev.yaml"
    assert ended.code == 0, ended.err
    assert yaml.safe_load(values.read_text())["image"]["tag"] == "v2"
    key = sealing.key()
    (tmp_path / "cert.pem").write_bytes(sealing.certificate(key))
    (tmp_path / "shop.env").write_text("database-url=postgres://x\n")
    words = (
        "secrets",
        "seal",
        "shop",
        "--env",
        "dev",
        "--from-env-file",
        str(tmp_path / "shop.env"),
    )
    ended = ran(root, *words, "--certificate", str(tmp_path / "cert.pem"))
    assert ended.code == 0, ended.err
    sealed = yaml.safe_load(values.read_text())["sealedSecret"]["encryptedData"]["database-url"]
    label = "services-dev/shop-secret"
    assert sealing.unsealed(sealed, key, label) == b"postgres://x"
