"""A repository of Kustomize overlays and plain manifests through the commands: no chart is anywhere."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from tests.support import chartless, peers, scenes, sealing

from hanbae import errors, libyaml, wording
from hanbae.planning import deployments
from hanbae.policy import loading
from hanbae.repository import checkouts
from hanbae.sandbox import pins

OVERLAY = "apps/web/overlays/dev/kustomization.yaml"
KUSTOMIZE = next(component for component in pins.COMPONENTS if component.name == "kustomize")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    chartless.write(folder)
    git(folder, "init", "-q", "-b", "develop")
    committed(folder)
    return folder


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def committed(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")


def ran(root: Path, *words: str) -> scenes.Ended:
    """``hanbae``, with the Kustomize that Argo CD has."""
    programs = peers.program(KUSTOMIZE).parent
    return scenes.hanbae(
        *words,
        directory=root,
        XDG_CACHE_HOME=str(root.parent / "cache"),
        PATH=f"{programs}:/usr/bin:/bin",
    )


def built(folder: Path) -> str:
    command = [peers.program(KUSTOMIZE), "build", folder]
    return subprocess.run(command, capture_output=True, check=True, env={}).stdout.decode()


def test_what_is_rendered_is_what_kustomize_prints(root: Path) -> None:
    for environment in ("dev", "production"):
        ended = ran(root, "render", "web", "--env", environment)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == built(root / "apps/web/overlays" / environment)


def test_plain_manifests_are_rendered_as_they_are(root: Path) -> None:
    ended = ran(root, "render", "--env", "dev", "--output", "json")
    assert ended.code == 0, ended.err
    releases = {entry["service"]: entry for entry in json.loads(ended.out)["releases"]}
    assert sorted(releases) == ["plain", "web"]
    text = (root / "manifests/dev/all.yaml").read_text()
    assert releases["plain"]["objects"] == list(libyaml.load_all(text))
    assert releases["plain"]["namespace"] == "services-dev"
    assert releases["web"]["release"] == "web"


@pytest.mark.parametrize("engine", ["kustomize", "directory"])
def test_a_service_may_be_the_whole_repository(tmp_path: Path, engine: str) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    policy = chartless.POLICY.replace('  path: ["apps/*/overlays/{environment}"]\n', "")
    own = 'named: {web: {path: "."}}'
    policy = policy.replace('named: {plain: {path: "manifests/{environment}"}}', own)
    (root / "hanbae.yaml").write_text(policy)
    (root / "web.yaml").write_text(chartless.deployment("web", "registry.example.com/web:1"))
    if engine == "kustomize":
        resources = (
            "images:\n  - name: registry.example.com/web\n    newTag: '2'\n"
            "resources:\n  - web.yaml\n"
        )
        (root / "kustomization.yaml").write_text(chartless.HEAD + resources)
    git(root, "init", "-q", "-b", "develop")
    committed(root)
    expected = "web:2" if engine == "kustomize" else "web:1"
    ended = ran(root, "render", "web", "--env", "dev")
    assert ended.code == 0, ended.err
    assert f"image: registry.example.com/{expected}" in ended.out
    set_ = ran(root, "image", "set", "web", f":3@{DIGEST}", "--env", "dev", "--no-resolve")
    assert set_.code == 0, set_.err
    assert f"web:3@{DIGEST}" in ran(root, "render", "web", "--env", "dev").out
    pem, values = tmp_path / "dev.pem", tmp_path / "values.env"
    pem.write_bytes(sealing.certificate(sealing.key()))
    values.write_text("KEY=canary-7731\n")
    values.chmod(0o600)
    words = ("secrets", "seal", "web", "--env", "dev", "--certificate", str(pem))
    sealed = ran(root, *words, "--from-env-file", str(values))
    assert sealed.code == 0, sealed.err
    assert "kind: SealedSecret" in (root / "sealedsecret.yaml").read_text()
    assert "kind: SealedSecret" in ran(root, "render", "web", "--env", "dev").out


def test_parameters_beside_the_overlay_are_those_of_argo_cd(root: Path) -> None:
    """The same edits, made by ``kustomize edit`` as Argo CD's repo-server makes them."""
    folder = root / "apps/web/overlays/dev"
    (folder / ".argocd-source.yaml").write_text(
        "kustomize:\n  namePrefix: a-\n  nameSuffix: -z\n  namespace: elsewhere\n"
        "  images: ['registry.example.com/web=other.example.com/w:7', nginx:1]\n"
        "  replicas: [{name: web, count: 4}]\n"
        "  commonLabels: {team: shop}\n  labelWithoutSelector: true\n  labelIncludeTemplates: true\n"
        "  commonAnnotations: {by: us}\n"
    )
    (folder / ".argocd-source-web-dev.yaml").write_text("kustomize: {namePrefix: b-}\n")
    committed(root)
    rendered = ran(root, "render", "web", "--env", "dev")
    assert rendered.code == 0, rendered.err
    for words in (
        "set nameprefix -- b-",
        "set namesuffix -- -z",
        "set image registry.example.com/web=other.example.com/w:7 nginx:1",
        "set replicas web=4",
        "add label --without-selector --include-templates team:shop",
        "add annotation by:us",
        "set namespace -- elsewhere",
    ):
        command = [peers.program(KUSTOMIZE), "edit", *words.split()]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    assert rendered.out == built(folder)
    assert "b-web-z" in rendered.out


@pytest.mark.parametrize("tag", ["$ARGOCD_APP_REVISION", "v${ARGOCD_APP_REVISION_SHORT}"])
def test_the_commit_is_put_into_images_where_it_is_known(root: Path, tag: str) -> None:
    """Of files that are not committed nobody knows which commit they will be: there it stays as it is written."""
    (root / "apps/web/overlays/dev/.argocd-source.yaml").write_text(
        f"kustomize:\n  images: ['registry.example.com/web:{tag}']\n"
        "  commonAnnotationsEnvsubst: true\n  commonAnnotations: {commit: $ARGOCD_APP_REVISION}\n"
    )
    committed(root)
    ended = ran(root, "render", "web", "--env", "dev")
    assert ended.code == 0, ended.err
    assert f"image: registry.example.com/web:{tag}\n" in ended.out
    assert "commit: $ARGOCD_APP_REVISION\n" in ended.out
    words = ("git", "-C", str(root), "rev-parse", "HEAD")
    commit = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    ended = ran(root, "render", "web", "--env", "dev", "--revision", "HEAD")
    short = tag.startswith("v")
    assert f"image: registry.example.com/web:{f'v{commit[:7]}' if short else commit}\n" in ended.out
    ended = ran(root, "check", "--output", "json")
    codes = {finding["code"] for finding in json.loads(ended.out)["findings"]}
    assert codes == {"SEC001", "ARG046"}, ended.out


def test_check_says_nothing_false(root: Path) -> None:
    ended = ran(root, "check", "--output", "json")
    findings = json.loads(ended.out)["findings"]
    assert {finding["code"] for finding in findings} == {"SEC001"}, findings
    assert ended.code == 0


def test_two_revisions_are_compared(root: Path) -> None:
    for path, old, new in (
        (OVERLAY, "2.0.0", "3.0.0"),
        ("manifests/dev/all.yaml", "plain:1", "plain:2"),
    ):
        file = root / path
        file.write_text(file.read_text().replace(old, new))
    (root / "apps/web/migrations/00002_b.sql").write_text("-- +goose Up\nDROP TABLE a;\n")
    committed(root)
    ended = ran(root, "plan", "--base", "HEAD~1", "--head", "HEAD", "--output", "json")
    assert ended.code == 0, ended.err
    compared = {
        (entry["service"], entry["environment"]): entry
        for entry in json.loads(ended.out)["services"]
    }
    assert sorted(compared) == [("plain", "dev"), ("web", "dev"), ("web", "production")]
    web = compared["web", "dev"]
    assert {image["new"] for image in web["images"]} == {"registry.example.com/web:3.0.0"}
    assert "00002_b.sql" in json.dumps(web["migrations"])
    assert not compared["web", "production"]["images"]


def test_a_base_below_k8s_is_compared_in_the_services_of_its_overlays(root: Path) -> None:
    (root / "k8s").mkdir()
    (root / "apps/web/base").rename(root / "k8s/web")
    for environment in ("dev", "production"):
        overlay = root / f"apps/web/overlays/{environment}/kustomization.yaml"
        overlay.write_text(overlay.read_text().replace("../../base", "../../../../k8s/web"))
    committed(root)
    base = root / "k8s/web/deployment.yaml"
    base.write_text(base.read_text().replace("# what runs", "- {name: more, image: x}"))
    committed(root)
    ended = ran(root, "plan", "--base", "HEAD~1", "--head", "HEAD", "--output", "json")
    assert {entry["service"] for entry in json.loads(ended.out)["services"]} == {"web"}, ended.err


def test_applications_have_no_helm_source(root: Path) -> None:
    assert ran(root, "generate", "argocd").code == 0
    text = (root / "k8s/argocd/dev/applicationset.yaml").read_text()
    generators = libyaml.load(text)["spec"]["generators"]
    sources = [entry["git"]["template"]["spec"]["source"] for entry in generators]
    assert [source["path"] for source in sources] == [
        "apps/{{ index .path.segments 1 }}/overlays/dev",
        "manifests/dev",
    ]
    assert not [source for source in sources if "helm" in source]
    assert [entry["git"]["directories"] for entry in generators] == [
        [{"path": "apps/*/overlays/dev"}],
        [{"path": "manifests/dev"}],
    ]


def test_the_policy_says_how_a_folder_is_read(root: Path) -> None:
    policy = chartless.POLICY.replace(
        '"manifests/{environment}"',
        'manifests, directory: {recurse: true, exclude: "production/*"}',
    )
    (root / "hanbae.yaml").write_text(policy)
    ended = ran(root, "render", "plain", "--env", "dev", "--output", "json")
    (release,) = json.loads(ended.out)["releases"]
    assert [item["kind"] for item in release["objects"]] == ["ConfigMap", "Deployment"]
    assert ran(root, "generate", "argocd", "--env", "dev").code == 0
    text = (root / "k8s/argocd/dev/applicationset.yaml").read_text()
    own = libyaml.load(text)["spec"]["generators"][1]["git"]["template"]["spec"]["source"]
    assert own["directory"] == {"recurse": True, "exclude": "production/*"}
    assert own["path"] == "manifests"


def test_the_deployer_may_prove_what_the_jobs_migrate(root: Path) -> None:
    assert ran(root, "generate", "rbac").code == 0
    text = (root / "k8s/rbac/dev/admission.yaml").read_text()
    assert '"repository": "registry.example.com/web", "secret": "web-secret"' in text
    assert '"keys": ",DATABASE_URL,"' in text
    findings = json.loads(ran(root, "check", "--output", "json").out)["findings"]
    assert "ENV017" not in {finding["code"] for finding in findings}


def test_a_service_that_is_not_in_an_environment_is_left_out(root: Path) -> None:
    git(root, "rm", "-qr", "apps/web/overlays/production")
    committed(root)
    ended = ran(root, "render", "--env", "production", "--output", "json")
    assert [entry["service"] for entry in json.loads(ended.out)["releases"]] == ["plain"]


def test_what_is_not_built_is_said_at_its_line(root: Path) -> None:
    (root / OVERLAY).write_text(f"{chartless.HEAD}resources:\n  - https://example.com/base\n")
    ended = ran(root, "render", "web", "--env", "dev")
    assert ended.code == 2
    assert f"{OVERLAY}:4:5" in ended.err


DIGEST = f"sha256:{'a' * 64}"


def test_an_image_is_set_among_those_of_the_overlay(root: Path) -> None:
    ended = ran(root, "image", "set", "web", f":4@{DIGEST}", "--env", "dev")
    assert ended.code == 0, ended.err
    assert (root / OVERLAY).read_text() == chartless.FILES[OVERLAY].replace(
        'newTag: "2.0.0"', f'newTag: "4"\n    digest: {DIGEST}'
    )
    assert ran(root, "render", "web", "--env", "dev").out.count(DIGEST) == 2


def test_an_overlay_without_images_gets_some(root: Path) -> None:
    (root / OVERLAY).write_text(f"{chartless.HEAD}resources: [../../base]\n")
    ended = ran(
        root, "image", "set", "web", "mirror.example.com/web:5", "--env", "dev", "--no-resolve"
    )
    assert ended.code == 0, ended.err
    assert ran(root, "render", "web", "--env", "dev").out.count("mirror.example.com/web:5") == 2


def test_an_image_is_set_on_the_lines_of_manifests(root: Path) -> None:
    file = root / "manifests/dev/all.yaml"
    before = file.read_text()
    ended = ran(root, "image", "set", "plain", f":2@{DIGEST}", "--env", "dev")
    assert ended.code == 0, ended.err
    assert file.read_text() == before.replace("plain:1 #", f"plain:2@{DIGEST} #")
    again = ran(root, "image", "set", "plain", f":2@{DIGEST}", "--env", "dev")
    assert again.code == 0
    assert file.read_text() == before.replace("plain:1 #", f"plain:2@{DIGEST} #")


def test_the_image_of_another_environment_is_taken(root: Path) -> None:
    words = ("image", "set", "--from-env", "production", "--env", "dev", "--no-resolve")
    ended = ran(root, *words)
    assert ended.code == 0, ended.err
    assert 'newTag: "1.9.0"' in (root / OVERLAY).read_text()


def test_an_image_that_something_else_decides_is_not_written(root: Path) -> None:
    later = "replacements:\n  - sourceValue: other.example.com/w:1\n    targets:\n"
    later += "      - {select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image]}\n"
    with (root / OVERLAY).open("a") as file:
        file.write(later)
    before = (root / OVERLAY).read_text()
    ended = ran(
        root, "image", "set", "web", "other.example.com/w:4", "--env", "dev", "--no-resolve"
    )
    assert ended.code == 5, ended.err
    assert (root / OVERLAY).read_text() == before


@pytest.mark.parametrize(
    ("before", "image", "after"),
    [
        ("registry.example.com/web:9", ":4", "registry.example.com/web:4"),
        ("registry.example.com/web=mirror.example.com/w:9", ":4", "{0}=mirror.example.com/w:4"),
        ("registry.example.com/web:9", "mirror.example.com/w:4", "{0}=mirror.example.com/w:4"),
        ("registry.example.com/web=mirror.example.com/w", "{0}:4", "{0}:4"),
        ("registry.example.com/web:$ARGOCD_APP_REVISION", ":4", "registry.example.com/web:4"),
        ("registry.example.com/web=*:9", ":4", "registry.example.com/web:4"),
    ],
)
@pytest.mark.parametrize("where", ["beside", "application", "sources"])
def test_an_image_of_argo_cd_s_own_list_is_set_in_there(
    root: Path, where: str, before: str, image: str, after: str
) -> None:
    """What wins over the kustomization is where the image comes from: a file beside it, or the Application."""
    name = "registry.example.com/web"
    settings = f"{{images: [nginx:1, '{before}']}} # ours"
    text = APPLICATION.replace("SETTINGS", settings)
    file = root / "web.yaml"
    if where == "beside":
        file = root / "apps/web/overlays/dev/.argocd-source-web-dev.yaml"
        text = f"kustomize: {settings}\n"
    elif where == "sources":
        text = text.replace("  source:\n    repoURL", "  sources:\n  - repoURL")
    other = APPLICATION.replace("web-dev", "web-production").replace("SETTINGS", settings)
    (root / "others.yaml").write_text(other)
    file.write_text(f"{other}---\n{text}" if where != "beside" else text)
    words = ("image", "set", "web", image.format(name), "--env", "dev", "--no-resolve")
    ended = ran(root, *words)
    assert ended.code == 0, ended.err
    changed = text.replace(before, after.format(name))
    assert file.read_text() == (f"{other}---\n{changed}" if where != "beside" else changed)
    assert (root / OVERLAY).read_text() == chartless.FILES[OVERLAY]
    assert (root / "others.yaml").read_text() == other
    assert str(file.relative_to(root)) in " ".join(ended.err.split())
    rendered_ = rendered(root, "web")
    assert (
        rendered_.count(f"image: {after.format(name).partition('=')[2] or after.format(name)}\n")
        == 2
    )


def test_an_image_that_a_set_gives_is_refused_at_its_line(root: Path) -> None:
    (root / "set.yaml").write_text(
        SET.replace("SETTINGS", "{images: ['registry.example.com/web:9']}")
    )
    ended = ran(root, "image", "set", "web", ":4", "--env", "dev", "--no-resolve")
    assert ended.code == 5, ended.err
    assert "set.yaml:12" in ended.err
    assert "registry.example.com/web:9" in ended.err
    assert (root / OVERLAY).read_text() == chartless.FILES[OVERLAY]


def test_values_are_sealed_into_a_manifest_of_the_overlay(root: Path, tmp_path: Path) -> None:
    pem = tmp_path / "dev.pem"
    pem.write_bytes(sealing.certificate(sealing.key()))
    for service, folder in (("web", "apps/web/overlays/dev"), ("plain", "manifests/dev")):
        words = ("secrets", "seal", service, "--env", "dev", "--certificate", str(pem))
        for key in ("DATABASE_URL", "OTHER"):
            values = tmp_path / "values.env"
            values.write_text(f"{key}=canary-7731\n")
            values.chmod(0o600)
            ended = ran(root, *words, "--from-env-file", str(values))
            assert ended.code == 0, ended.err
        text = (root / folder / "sealedsecret.yaml").read_text()
        assert "canary" not in text
        sealed = libyaml.load(text)
        assert sealed["metadata"]["name"] == f"{service}-secret"
        assert sealed["metadata"]["namespace"] == "services-dev"
        assert sorted(sealed["spec"]["encryptedData"]) == ["DATABASE_URL", "OTHER"]
        rendered = ran(root, "render", service, "--env", "dev", "--output", "json")
        (release,) = json.loads(rendered.out)["releases"]
        assert "SealedSecret" in [item["kind"] for item in release["objects"]]
    assert "  - sealedsecret.yaml\n" in (root / OVERLAY).read_text()
    rows = json.loads(ran(root, "secrets", "list", "--output", "json").out)["keys"]
    states = {(row["service"], row["environment"], row["key"]): row["state"] for row in rows}
    assert states["web", "dev", "OTHER"] == "sealed"
    assert states["web", "production", "OTHER"] == "missing"
    again = ran(root, *words[:-1], str(_other(tmp_path)), "--from-env-file", str(values))
    assert again.code == 5, again.err


@pytest.mark.parametrize("others", [1, 2, 3])
def test_what_others_have_sealed_in_the_folder_is_kept(
    root: Path, tmp_path: Path, others: int
) -> None:
    folder = root / "manifests/dev"
    names = ["sealedsecret.yaml", "sealedsecret-hanbae.yaml"]
    names += ["sealedsecret-hanbae-2.yaml", "sealedsecret-hanbae-3.yaml"]
    other = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n"
    for name in names[:others]:
        (folder / name).write_text(f"{other}metadata: {{name: other-{name[:-5]}}}\n")
    committed(root)
    pem, values = tmp_path / "dev.pem", tmp_path / "values.env"
    pem.write_bytes(sealing.certificate(sealing.key()))
    values.write_text("KEY=canary-7731\n")
    values.chmod(0o600)
    words = ("secrets", "seal", "plain", "--env", "dev", "--certificate", str(pem))
    ended = ran(root, *words, "--from-env-file", str(values))
    assert ended.code == 0, ended.err
    assert libyaml.load((folder / names[others]).read_text())["metadata"]["name"] == "plain-secret"
    for name in names[:others]:
        assert f"name: other-{name[:-5]}" in (folder / name).read_text()


def test_a_sealed_file_that_cannot_be_read_is_named(root: Path, tmp_path: Path) -> None:
    pem, values, keys = tmp_path / "dev.pem", tmp_path / "values.env", tmp_path / "own.key"
    pem.write_bytes(sealing.certificate(sealing.key()))
    keys.write_bytes(sealing.pem(sealing.key()) + pem.read_bytes())
    keys.chmod(0o600)
    values.write_text("KEY=canary-7731\n")
    values.chmod(0o600)
    for service in ("plain", "web"):
        words = ("secrets", "seal", service, "--env", "dev", "--certificate", str(pem))
        assert ran(root, *words, "--from-env-file", str(values)).code == 0
    path = root / "manifests/dev/sealedsecret.yaml"
    path.write_text(path.read_text() + "spec: ]\n")
    ended = ran(root, "secrets", "backup", "verify", str(keys), "--output", "json")
    assert ended.code == 2
    assert "manifests/dev/sealedsecret.yaml:" in ended.err
    rows = json.loads(ended.out)["values"]
    assert [(row["service"], row["opened"]) for row in rows] == [("web", True)]


def _other(folder: Path) -> Path:
    path = folder / "other.pem"
    path.write_bytes(sealing.certificate(sealing.key("stranger")))
    return path


def test_a_prefix_over_the_sealed_name_is_refused(root: Path, tmp_path: Path) -> None:
    pem, values = tmp_path / "dev.pem", tmp_path / "values.env"
    pem.write_bytes(sealing.certificate(sealing.key()))
    values.write_text("A=b\n")
    values.chmod(0o600)
    with (root / OVERLAY).open("a") as file:
        file.write("namePrefix: a-\n")
    before = (root / OVERLAY).read_text()
    words = ("secrets", "seal", "web", "--env", "dev", "--certificate", str(pem))
    ended = ran(root, *words, "--from-env-file", str(values))
    assert ended.code == 5
    assert "services-dev/a-web-secret" in ended.err
    assert (root / OVERLAY).read_text() == before


APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web-dev, namespace: argocd}
spec:
  project: services-dev
  source:
    repoURL: https://git.example.com/shop.git
    targetRevision: develop
    path: apps/web/overlays/dev
    kustomize: SETTINGS
  destination: {server: https://kubernetes.default.svc, namespace: services-dev}
"""


SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: web, namespace: argocd}
spec:
  generators:
    - list:
        elements: [{environment: dev, branch: develop}, {environment: production, branch: main}]
  template:
    metadata: {name: "web-{{environment}}"}
    spec:
      project: services
      source:
        repoURL: https://git.example.com/shop
        targetRevision: "{{branch}}"
        path: "apps/web/overlays/{{environment}}"
        kustomize: SETTINGS
      destination: {server: https://kubernetes.default.svc, namespace: services}
"""


def rendered(root: Path, service: str, environment: str = "dev") -> str:
    ended = ran(root, "render", service, "--env", environment)
    assert ended.code == 0, ended.err
    return ended.out


def test_settings_of_an_application_in_git_are_rendered_and_files_beside_the_folder_win(
    root: Path,
) -> None:
    declared = root / "argocd/web.yaml"
    declared.parent.mkdir()
    settings = "{namePrefix: a-, images: ['registry.example.com/web:7'], replicas: [{name: web, count: 3}]}"
    declared.write_text(APPLICATION.replace("SETTINGS", settings))
    text = rendered(root, "web")
    assert "name: a-web\n" in text
    assert "registry.example.com/web:7" in text
    assert "replicas: 3" in text
    beside = root / "apps/web/overlays/dev/.argocd-source.yaml"
    beside.write_text("kustomize: {namePrefix: b-}\n")
    text = rendered(root, "web")
    assert "name: b-web\n" in text
    assert "registry.example.com/web:7" in text
    assert "a-web" not in rendered(root, "web", "production")


def test_a_set_in_git_says_it_of_each_application_that_it_makes(root: Path) -> None:
    (root / "set.yaml").write_text(SET.replace("SETTINGS", '{nameSuffix: "-{{environment}}"}'))
    assert "name: web-dev\n" in rendered(root, "web")
    assert "name: web-production\n" in rendered(root, "web", "production")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ("kustomize: {version: v4.0.0}", "kustomize.version"),
        ("plugin: {name: p}", "plugin"),
        ("directory: {jsonnet: {tlas: [{name: a, value: b}]}}", "directory.jsonnet"),
    ],
)
def test_what_an_application_asks_for_and_hanbae_cannot_render_is_said_at_its_line(
    root: Path, settings: str, name: str
) -> None:
    text = APPLICATION.replace("kustomize: SETTINGS", settings)
    (root / "web.yaml").write_text(text)
    ended = ran(root, "render", "web", "--env", "dev")
    assert ended.code == 2
    assert f"web-dev sets {name}" in " ".join(ended.err.split())
    assert "web.yaml:6" in ended.err


def test_what_breaks_nothing_in_a_repository_of_others_is_no_error(root: Path) -> None:
    """The default branch, a namespace of the manifests' own, and automation of what deploys no service."""
    text = APPLICATION.replace("targetRevision: develop", "targetRevision: HEAD")
    (root / "web.yaml").write_text(text.replace("    kustomize: SETTINGS\n", ""))
    automated = "  syncPolicy: {automated: {prune: true}}\n"
    above = text.replace("web-dev", "all-dev").replace("apps/web/overlays/dev", "argocd")
    (root / "all.yaml").write_text(above.replace("    kustomize: SETTINGS\n", "") + automated)
    overlay = root / OVERLAY
    overlay.write_text(overlay.read_text().replace("resources:\n", "resources:\n  - map.yaml\n"))
    (overlay.parent / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: elsewhere}\n"
    )

    def severities() -> dict[str, str]:
        ended = ran(root, "check", "--output", "json")
        return {item["code"]: item["severity"] for item in json.loads(ended.out)["findings"]}

    assert {"ARG037": "warning", "KUS003": "warning"}.items() <= severities().items()
    assert "ARG031" not in severities()
    with (root / "web.yaml").open("a") as file:
        file.write(automated)
    assert severities()["ARG031"] == "error"
    policy = root / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("profile: essential\n", ""))
    assert {"ARG037": "error", "KUS003": "error"}.items() <= severities().items()


def test_an_application_says_how_a_folder_of_manifests_is_read(root: Path) -> None:
    folder = root / "manifests/dev"
    (folder / "more").mkdir()
    (folder / "more/map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"
    )
    (folder / "not.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: left}\n")
    assert "name: more" not in rendered(root, "plain")
    text = APPLICATION.replace("web-dev", "plain-dev").replace("apps/web/overlays", "manifests")
    settings = "directory: {recurse: true, exclude: 'not.*'}"
    (root / "plain.yaml").write_text(text.replace("kustomize: SETTINGS", settings))
    text = rendered(root, "plain")
    assert "name: more" in text
    assert "name: left" not in text


def test_settings_in_the_cluster_alone_count_and_are_told(root: Path) -> None:
    policy = loading.load(root / "hanbae.yaml").policy
    revision = checkouts.Checkout.open(root).revision("HEAD")
    source: dict[str, object] = {"path": "apps/web/overlays/dev"}
    source |= {"kustomize": {"namePrefix": "live-"}}
    live = {"spec": {"source": source}}
    with pytest.warns(wording.Warned, match=r"kustomize\.namePrefix"):
        read = asyncio.run(deployments.read(policy, revision, "web", "dev", live=live))
    names = [manifest.object["metadata"]["name"] for manifest in read.rendered.manifests]
    assert names == ["live-web", "live-web-migrate"]
    source["plugin"] = {"name": "p"}
    with (
        pytest.warns(wording.Warned),
        pytest.raises(errors.FileFault, match=r"manifests\.live-parameter"),
    ):
        asyncio.run(deployments.read(policy, revision, "web", "dev", live=live))


def test_what_pods_of_an_overlay_read_is_listed_with_who_makes_it(root: Path) -> None:
    ended = ran(root, "secrets", "list", "web", "--env", "dev", "--output", "json")
    (row,) = json.loads(ended.out)["keys"]
    assert (row["secret"], row["key"], row["state"]) == ("web-secret", "DATABASE_URL", "missing")
