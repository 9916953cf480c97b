"""A repository that hanbae did not lay, through the commands: several roots, and values outside of the charts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.support import foreign, peers, scenes

from hanbae import libyaml

RELEASES = [
    (name, environment) for name in foreign.SERVICES for environment in foreign.ENVIRONMENTS
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    foreign.write(folder)
    git(folder, "init", "-q", "-b", "develop")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    return folder


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def ran(root: Path, *words: str) -> scenes.Ended:
    return scenes.hanbae(*words, directory=root, XDG_CACHE_HOME=str(root.parent / "cache"))


def codes(root: Path, *words: str) -> dict[str, list[str]]:
    """Code → places."""
    findings = json.loads(ran(root, "check", "--output", "json", *words).out)["findings"]
    by_code: dict[str, list[str]] = {}
    for finding in findings:
        place = finding["place"]
        line = f":{place['line']}" if place.get("line") else ""
        by_code.setdefault(finding["code"], []).append(f"{place['file']}{line}")
    return by_code


def test_every_release_is_what_helm_makes_of_the_same_files(root: Path) -> None:
    ended = ran(root, "render", "--output", "json")
    assert ended.code == 0, ended.err
    releases = json.loads(ended.out)["releases"]
    assert [(release["service"], release["environment"]) for release in releases] == RELEASES
    helm = peers.program(peers.HELM)
    for release in releases:
        name, environment = release["service"], release["environment"]
        chart = root / foreign.SERVICES[name]
        command = [helm, "template", name, chart, "--namespace", f"services-{environment}"]
        command += ["--values", chart / "values.yaml"]
        command += ["--values", root / "envs" / environment / f"{name}.yaml"]
        printed = subprocess.run(
            command, env={"HOME": str(root)}, capture_output=True, check=True
        ).stdout.decode()
        assert release["objects"] == list(libyaml.load_all(printed))
        assert f"{environment} of {name}" in printed


def test_a_values_file_that_changes_is_rendered_anew(root: Path) -> None:
    assert "of auth" in ran(root, "render", "auth", "--env", "dev").out
    (root / "envs/dev/auth.yaml").write_text("level: other\n")
    assert "other" in ran(root, "render", "auth", "--env", "dev").out


def test_what_is_there_is_not_called_missing(root: Path) -> None:
    by_code = codes(root)
    assert (
        not {"LAY002", "LAY003", "LAY004", "LAY015", "LAY016", "LAY017", "INP001"} & by_code.keys()
    )


def test_a_values_file_that_is_missing_is_named_by_its_path(root: Path) -> None:
    (root / "envs/prod/auth.yaml").unlink()
    assert codes(root)["LAY002"] == ["services/auth/helm/Chart.yaml"]
    shown = ran(root, "check", "auth").out
    assert "The repository has no envs/prod/auth.yaml, so environment prod" in " ".join(
        shown.split()
    )


def test_a_values_file_in_the_chart_is_shown_how_it_is_written(root: Path) -> None:
    inner = root / "services/auth/helm/envs/prod/auth.yaml"
    inner.parent.mkdir(parents=True)
    (root / "envs/prod/auth.yaml").rename(inner)
    shown = " ".join(ran(root, "check", "auth").out.split())
    assert "begins with ./, as in ./envs/prod/auth.yaml" in shown


APPLICATIONS = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: edge-dev, namespace: argocd}
spec:
  project: services-dev
  source:
    repoURL: https://git.example.com/r.git
    targetRevision: develop
    path: edge
    helm: {releaseName: edge}
  destination: {server: https://kubernetes.default.svc, namespace: services-dev}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
"""


def test_a_chart_without_any_values_file_is_checked_rendered_and_generated(root: Path) -> None:
    files = {
        "edge/Chart.yaml": "apiVersion: v2\nname: edge\nversion: 0.1.0\n",
        "edge/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: edge}\n",
        "argocd/edge.yaml": APPLICATIONS,
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    policy = root / "hanbae.yaml"
    named = "named: {edge: {path: edge}, solo:"
    policy.write_text(policy.read_text().replace("named: {solo:", named))
    assert {"ENV002", "LAY002"} <= codes(root).keys()  # with the files of all others
    policy.write_text(policy.read_text().replace("{path: edge}", "{path: edge, values: []}"))
    assert not {"ENV002", "LAY002", "LAY003", "LAY004", "ARG039"} & codes(root).keys()
    ended = ran(root, "render", "edge", "--env", "prod", "--output", "json")
    (release,) = json.loads(ended.out)["releases"]
    assert [document["metadata"]["name"] for document in release["objects"]] == ["edge"]
    assert ran(root, "generate", "argocd").code == 0
    assert "ENV002" not in codes(root)
    sets = libyaml.load_all((root / "k8s/argocd/dev/applicationset.yaml").read_text())
    generators = next(iter(sets))["spec"]["generators"]
    own = [generator["git"]["template"]["spec"].get("source") for generator in generators]
    assert [s["helm"] for s in own if s and s["path"] == "edge"] == [{"releaseName": "edge"}]
    ended = ran(root, "image", "set", "edge", "registry.example.com/edge:1", "--env", "dev")
    assert ended.code == 2
    assert "edge/values.yaml: There is no such file" in ended.err


def test_a_fault_is_placed_in_the_file_that_holds_the_value(root: Path) -> None:
    (root / "envs/dev/pay.yaml").write_text("level: fine\ndeep: {b: 1\n")
    assert codes(root, "pay")["INP001"] == ["envs/dev/pay.yaml:3"]
    (root / "envs/dev/pay.yaml").write_text("level: fine\nlevel: twice\n")
    assert "envs/dev/pay.yaml:2" in codes(root, "pay")["INP006"]


def test_a_service_in_two_folders_and_paths_that_match_nothing(root: Path) -> None:
    policy = root / "hanbae.yaml"
    policy.write_text(policy.read_text().replace('"charts/*"]', '"charts/*", "gone/*"]'))
    policy.write_text(policy.read_text().replace("{solo:", "{lost: {path: nowhere}, solo:"))
    (root / "apps/auth/helm").mkdir(parents=True)
    (root / "apps/auth/helm/Chart.yaml").write_text("apiVersion: v2\nname: auth\nversion: 0.1.0\n")
    places = codes(root)["LAY016"]
    assert sorted(places) == ["apps/auth/helm/Chart.yaml", "hanbae.yaml:12", "hanbae.yaml:5"]


def test_names_that_meet_are_found(root: Path) -> None:
    policy = root / "hanbae.yaml"
    text = policy.read_text().replace(
        "{path: helm}", "{path: helm, application: 'shop-{environment}'}"
    )
    policy.write_text(text)
    assert codes(root)["LAY017"] == ["helm/Chart.yaml"]


def test_the_generated_sets_are_what_check_wants(root: Path) -> None:
    assert ran(root, "generate", "argocd").code == 0
    assert ran(root, "generate", "argocd", "--check").code == 0
    assert "ENV002" not in codes(root)
    path = root / "k8s/argocd/dev/applicationset.yaml"
    path.write_text(
        path.read_text().replace("$values/envs/dev/solo.yaml", "$values/envs/prod/solo.yaml")
    )
    assert codes(root)["ENV002"] == ["k8s/argocd/dev/applicationset.yaml"] or (
        codes(root)["ENV002"][0].startswith("k8s/argocd/dev/applicationset.yaml:")
    )


def test_an_application_by_hand_is_compared_with_the_second_source(root: Path) -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: auth-prod, namespace: argocd}
spec:
  project: services-prod
  sources:
    - repoURL: https://git.example.com/r.git
      targetRevision: main
      path: services/auth/helm
      helm:
        releaseName: auth
        valueFiles: [values.yaml, $values/envs/prod/auth.yaml]
    - {repoURL: https://git.example.com/r.git, targetRevision: main, ref: values}
  destination: {server: https://kubernetes.default.svc, namespace: services-prod}
"""
    (root / "argo.yaml").write_text(text)
    assert "ENV002" not in codes(root)
    (root / "argo.yaml").write_text(text.replace("envs/prod", "envs/dev"))
    assert codes(root)["ENV002"] == ["argo.yaml:12"]


PODS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: auth}
spec:
  selector: {matchLabels: {app: auth}}
  template:
    metadata: {labels: {app: auth}}
    spec:
      containers: [{name: auth, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}]
"""


def test_image_is_written_to_the_file_of_the_environment(root: Path) -> None:
    chart = root / "services/auth/helm"
    (chart / "templates/pods.yaml").write_text(PODS)
    with (chart / "values.yaml").open("a") as file:
        file.write("image: {repository: r.example.com/auth, tag: v1}\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "y")
    ended = ran(
        root,
        "image",
        "set",
        "auth",
        "r.example.com/auth:v2",
        "--env",
        "dev",
        "--no-resolve",
    )
    changed = subprocess.run(
        ["git", "diff", "--name-only"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    assert (ended.code, changed) == (0, ["envs/dev/auth.yaml"]), ended.err


def test_plan_of_a_change_of_values_outside_of_the_chart(root: Path) -> None:
    (root / "envs/dev/shop.yaml").write_text("level: higher\n")
    git(root, "commit", "-qam", "y")
    ended = ran(root, "plan", "--base", "HEAD~1", "--head", "HEAD", "--output", "json")
    compared = json.loads(ended.out)["services"]
    changed = [
        (service["service"], service["environment"]) for service in compared if service["forecast"]
    ]
    assert changed == [("shop", "dev")], ended.out


@pytest.mark.parametrize(
    ("chart", "path", "services"),
    [
        ("k8s/solo", "k8s/solo/values.yaml", {"solo"}),
        ("helm", "helm/level.md", {"solo"}),
        ("helm", "k8s/notes.yaml", set()),
        ("helm", "README.md", set()),
    ],
)
def test_a_file_below_k8s_or_of_markdown_counts_where_it_is_a_services_own(
    root: Path, chart: str, path: str, services: set[str]
) -> None:
    if chart != "helm":
        (root / chart).parent.mkdir()
        (root / "helm").rename(root / chart)
        policy = root / "hanbae.yaml"
        policy.write_text(policy.read_text().replace("{path: helm}", f"{{path: {chart}}}"))
    template = root / chart / "templates/settings.yaml"
    template.write_text(template.read_text() + '  text: {{ .Files.Get "level.md" | quote }}\n')
    git(root, "add", "-A")
    git(root, "commit", "-qm", "y")
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("deep: {a: 7, b: 2}\nlevel: none\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "z")
    ended = ran(root, "plan", "--base", "HEAD~1", "--head", "HEAD", "--output", "json")
    changed = {item["service"] for item in json.loads(ended.out)["services"] if item["forecast"]}
    assert changed == services, ended.out


@pytest.mark.parametrize(("chart", "services"), [("charts/pay", {"pay"}), ("helm", {"one", "two"})])
def test_a_change_in_one_of_several_charts_is_planned_for_its_services(
    root: Path, chart: str, services: set[str]
) -> None:
    policy = root / "hanbae.yaml"
    text = policy.read_text().replace('["charts/platform"]', "[]")
    policy.write_text(
        text.replace("{solo: {path: helm}}", "{one: {path: helm}, two: {path: helm}}")
    )
    for environment in foreign.ENVIRONMENTS:
        for name in ("one", "two", "platform"):
            (root / f"envs/{environment}/{name}.yaml").write_text(f"level: {name}\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "y")
    (root / chart / "values.yaml").write_text("deep: {a: 7, b: 2}\nlevel: none\n")
    git(root, "commit", "-qam", "z")
    ended = ran(root, "plan", "--base", "HEAD~1", "--head", "HEAD", "--output", "json")
    changed = {item["service"] for item in json.loads(ended.out)["services"] if item["forecast"]}
    assert changed == services


def test_a_values_file_outside_of_the_chart_touches_its_service(root: Path) -> None:
    (root / "envs/dev/shop.yaml").write_text("level: one\nlevel: two\n")
    (root / "envs/dev/pay.yaml").write_text("level: one\nlevel: two\n")
    git(root, "commit", "-qam", "y")
    (root / "envs/dev/shop.yaml").write_text("level: two\nlevel: three\n")
    places = codes(root, "--changed-since", "HEAD")["INP006"]
    assert places == ["envs/dev/shop.yaml:2"]


def test_overlays_where_the_policy_looks_for_them_are_checked_and_generated(root: Path) -> None:
    policy = root / "hanbae.yaml"
    policy.write_text(
        policy.read_text().replace('"charts/*"]', '"charts/*", "sites/*/overlays/{environment}"]')
    )
    overlay = root / "sites/docs/overlays/dev"
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text("resources: [settings.yaml]\n")
    (overlay / "settings.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: docs}\ndata: {port: 80}\n"
    )
    sets = root / "argo.yaml"
    sets.write_text("""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: sites, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators: [{list: {elements: [{service: docs}]}}]
  template:
    metadata: {name: "{{ .service }}-dev"}
    spec:
      project: services-dev
      source:
        repoURL: https://git.example.com/r.git
        targetRevision: develop
        path: "sites/{{ .service }}/overlays/dev"
      destination: {server: https://kubernetes.default.svc, namespace: services-dev}
""")
    by_code = codes(root)
    assert not {"LAY016", "ARG038"} & by_code.keys(), by_code
    assert any(
        "sites/docs/overlays/dev/settings.yaml:4" in places
        for code, places in by_code.items()
        if code.startswith("KUB")
    ), by_code
    assert ran(root, "generate", "argocd").code == 0
    text = (root / "k8s/argocd/dev/applicationset.yaml").read_text()
    assert "path: sites/{{ index .path.segments 1 }}/overlays/dev" in text


def test_a_new_service_brings_every_values_file_of_its_own(root: Path) -> None:
    ended = ran(root, "new", "service", "mail")
    assert ended.code == 0, ended.err
    assert (root / "services/mail/helm/values.yaml").read_text() == "{}\n"
    assert (root / "services/mail/migrations").is_dir()
    assert "LAY002" not in codes(root, "mail")
    releases = json.loads(ran(root, "render", "mail", "--output", "json").out)["releases"]
    assert {release["environment"] for release in releases} == set(foreign.ENVIRONMENTS)
    assert ran(root, "new", "service", "mail", "--force").code == 0
    deployment = (root / "services/mail/helm/templates/deployment.yaml").read_text()
    assert '.Release.Name | printf "%s-secret"' in deployment


READER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: pay}
spec:
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}}
    spec:
      containers:
        - name: pay
          image: registry.example.com/pay:1
          env: [{name: URL, valueFrom: {secretKeyRef: {name: pay-secret, key: URL}}}]
"""
MAKER = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: pay-secret}
spec: {data: [{secretKey: URL, remoteRef: {key: pay}}]}
"""


def test_a_secret_that_another_release_makes_is_not_missing(root: Path) -> None:
    (root / "charts/pay/templates/deployment.yaml").write_text(READER)
    assert len(codes(root, "--env", "dev")["SEC001"]) == 1
    (root / "apps/shop/helm/templates/secret.yaml").write_text(MAKER)
    assert "SEC001" not in codes(root)


def test_a_chart_that_seals_nothing_is_warned_of_and_no_more(root: Path) -> None:
    (root / "charts/pay/templates/deployment.yaml").write_text(READER)
    policy = root / "hanbae.yaml"

    def severities() -> set[str]:
        findings = json.loads(ran(root, "check", "--output", "json").out)["findings"]
        return {finding["severity"] for finding in findings if finding["code"] == "SEC001"}

    assert severities() == {"error"}
    policy.write_text(
        policy.read_text().replace("version: 1\n", "version: 1\nprofile: essential\n")
    )
    assert severities() == {"warning"}
    with (root / "charts/pay/values.yaml").open("a") as values:
        values.write("sealedSecret: {encryptedData: {}}\n")
    assert severities() == {"error"}


def test_services_that_share_a_chart_and_a_secret_are_told_apart(root: Path) -> None:
    policy = root / "hanbae.yaml"
    named = "named: {a: {path: charts/pay, secret: ours}, b: {path: charts/pay, secret: ours}, solo"
    policy.write_text(policy.read_text().replace("named: {solo", named))
    text = "".join(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {name}-dev, namespace: argocd}}\nspec:\n"
        "  project: services-dev\n"
        "  source: {repoURL: https://git.example.com/r.git, targetRevision: develop, path: charts/pay, "
        f"helm: {{releaseName: {name}, valueFiles: [/envs/dev/{name}.yaml]}}}}\n"
        "  destination: {server: https://kubernetes.default.svc, namespace: services-dev}\n---\n"
        for name in ("a", "b")
    )
    (root / "applications.yaml").write_text(text)
    for name in ("a", "b"):
        (root / f"envs/dev/{name}.yaml").write_text("level: own\n")
    by_code = codes(root)
    assert "ARG038" not in by_code
    assert "LAY017" not in by_code
    policy.write_text(
        policy.read_text().replace(", secret: ours}, b:", "}, b:").replace("ours", "a-secret")
    )
    assert "LAY017" in codes(root)
    (root / "applications.yaml").write_text(text.replace("releaseName: b", "releaseName: c"))
    assert len(codes(root)["ARG038"]) == 1
