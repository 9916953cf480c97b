"""Where the image of a chart in a foreign style is edited: what `image set` writes, and what renders then."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hanbae import errors
from hanbae.actions import set_image
from hanbae.charts import scaffolding
from hanbae.policy import documents

OLD, NEW = "registry.example.com/shop/auth:1.0.0", "registry.example.com/shop/auth:2.0.0"
DIGEST = "sha256:" + "a" * 64
POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, values: values-dev.yaml, namespace_suffix: -dev}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: auth}
spec:
  template:
    metadata: {labels: {app: auth%s}}
    spec:
      containers:
        - name: auth
          image: %s
"""


def write(root: Path, image: str, values: str, *, label: str = "", more: str = "") -> None:
    """A repository with one service whose chart puts its image together in some way."""
    chart = root / "services/auth/helm"
    (chart / "templates").mkdir(parents=True)
    (root / "hanbae.yaml").write_text(POLICY)
    (chart / "Chart.yaml").write_text(
        "apiVersion: v2\nname: auth\nversion: 1.0.0\nappVersion: 1.0.0\n"
    )
    (chart / "values.yaml").write_text("replicas: 1\n")
    (chart / "values-dev.yaml").write_text(values)
    (chart / "templates/app.yaml").write_text(DEPLOYMENT % (label, image) + more)
    init(root)


def init(root: Path) -> None:
    """Make a folder a repository."""
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)


def written(root: Path) -> dict[str, Any]:
    """The values file."""
    text = (root / "services/auth/helm/values-dev.yaml").read_text()
    values: dict[str, Any] = yaml.safe_load(text)
    return values


async def set_(root: Path, image: str = f"{NEW}@{DIGEST}") -> str:
    """The image that is set, as the command says it."""
    return (await set_image.set_image(root, "auth", "dev", image, resolve=False)).image


@pytest.mark.parametrize(
    ("image", "values", "expected"),
    [
        pytest.param(
            "{{ .Values.image }}",
            f"image: {OLD}  # the image\n",
            {"image": f"{NEW}@{DIGEST}"},
            id="15 one string",
        ),
        pytest.param(
            '"{{ .Values.app.image.name }}:{{ .Values.app.image.version }}"',
            "app: {image: {name: registry.example.com/shop/auth, version: 1.0.0}}\n",
            {
                "app": {
                    "image": {
                        "name": "registry.example.com/shop/auth",
                        "version": f"2.0.0@{DIGEST}",
                    }
                }
            },
            id="15 split",
        ),
        pytest.param(
            '"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"',
            'image:\n  repository: registry.example.com/shop/auth\n  tag: ""\n',
            {
                "image": {
                    "repository": "registry.example.com/shop/auth",
                    "tag": f"2.0.0@{DIGEST}",
                }
            },
            id="15 no tag but the chart's version",
        ),
        pytest.param(
            '"{{ .Values.registry }}/{{ .Values.repo }}:{{ .Values.tag }}"',
            "registry: registry.example.com\nrepo: shop/auth\ntag: 1.0.0\n",
            {
                "registry": "registry.example.com",
                "repo": "shop/auth",
                "tag": f"2.0.0@{DIGEST}",
            },
            id="15 registry apart",
        ),
        pytest.param(
            '"{{ .Values.i.r }}{{ with .Values.i.digest }}@{{ . }}{{ else }}:{{ .Values.i.tag }}{{ end }}"',
            "i:\n  r: registry.example.com/shop/auth\n  tag: 1.0.0\n",
            {
                "i": {
                    "r": "registry.example.com/shop/auth",
                    "tag": "2.0.0",
                    "digest": DIGEST,
                }
            },
            id="15 a digest that no values file has",
        ),
        pytest.param(
            '"{{ .Values.global.imageRegistry | default .Values.registry }}/shop/auth:{{ .Values.tag }}"',
            'global: {imageRegistry: ""}\nregistry: registry.example.com\ntag: 1.0.0\n',
            {
                "global": {"imageRegistry": ""},
                "registry": "registry.example.com",
                "tag": f"2.0.0@{DIGEST}",
            },
            id="15 a registry for all charts stays empty",
        ),
    ],
)
async def test_what_the_image_comes_from_is_written(
    tmp_path: Path, image: str, values: str, expected: dict[str, Any]
) -> None:
    write(tmp_path, image, values)
    set_to = await set_(tmp_path)
    assert written(tmp_path) == expected
    assert set_to == f"{NEW}@{DIGEST}"


async def test_comments_stay(tmp_path: Path) -> None:
    write(tmp_path, "{{ .Values.image }}", f"# ours\nimage: {OLD}  # the image\n")
    await set_(tmp_path, NEW)
    text = (tmp_path / "services/auth/helm/values-dev.yaml").read_text()
    assert text == f"# ours\nimage: {NEW}  # the image\n"


async def test_a_tag_that_is_a_label_too_gets_no_digest(tmp_path: Path) -> None:
    values = "tag: 1.0.0\n"
    image = "registry.example.com/shop/auth:{{ .Values.tag }}"
    write(tmp_path, image, values, label=", version: '{{ .Values.tag }}'")
    assert await set_(tmp_path) == NEW
    assert written(tmp_path) == {"tag": "2.0.0"}


async def test_a_tag_alone_keeps_the_repository_that_is_rendered(tmp_path: Path) -> None:
    write(tmp_path, "{{ .Values.image }}", f"image: {OLD}\n")
    assert await set_(tmp_path, ":3.0.0") == "registry.example.com/shop/auth:3.0.0"


async def test_an_image_that_no_value_makes_is_refused(tmp_path: Path) -> None:
    write(tmp_path, OLD, "tag: 1.0.0\n")
    with pytest.raises(errors.Refused) as caught:
        await set_(tmp_path)
    assert caught.value.text.id == "image.no-key"
    assert written(tmp_path) == {"tag": "1.0.0"}


async def test_another_repository_than_the_templates_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "registry.example.com/shop/auth:{{ .Values.tag }}", "tag: 1.0.0\n")
    with pytest.raises(errors.Refused) as caught:
        await set_(tmp_path, "registry.example.com/other/auth:2.0.0")
    assert caught.value.text.id == "image.rendered-otherwise"
    assert caught.value.place is not None
    assert caught.value.place.line == 1
    assert written(tmp_path) == {"tag": "1.0.0"}


SIDECAR = """\
        - name: proxy
          image: {{ .Values.proxy }}
"""


async def test_of_several_images_the_one_that_is_meant_is_set(tmp_path: Path) -> None:
    values = f"main: {OLD}\nproxy: registry.example.com/envoy:1\n"
    write(tmp_path, "{{ .Values.main }}", values, more=SIDECAR)
    await set_(tmp_path, "registry.example.com/envoy:2")
    await set_(tmp_path, NEW)
    assert written(tmp_path) == {"main": NEW, "proxy": "registry.example.com/envoy:2"}


async def test_of_several_images_none_is_guessed(tmp_path: Path) -> None:
    values = "main: registry.example.com/a:1\nproxy: registry.example.com/envoy:1\n"
    write(tmp_path, "{{ .Values.main }}", values, more=SIDECAR)
    chart = tmp_path / "services/auth/helm/templates/app.yaml"
    chart.write_text(chart.read_text().replace("- name: auth", "- name: x"))
    with pytest.raises(errors.Refused) as caught:
        await set_(tmp_path, "registry.example.com/b:2")
    assert caught.value.text.id == "image.several-keys"


async def test_a_scaffold_gets_its_three_values(tmp_path: Path) -> None:
    (tmp_path / "hanbae.yaml").write_text(POLICY)
    policy = documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        environments={"dev": documents.Environment(branch="develop", values="values-dev.yaml")},
    )
    for path, text in scaffolding.chart_files("auth", policy, databases=[]).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    init(tmp_path)
    await set_(tmp_path)
    repository, tag = NEW.rsplit(":", 1)
    assert written(tmp_path)["image"] == {"repository": repository, "tag": tag, "digest": DIGEST}
