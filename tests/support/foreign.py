"""A repository that hanbae did not lay: several roots, values outside of the charts, and one chart apart."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SERVICES: Final = {
    "auth": "services/auth/helm",
    "pay": "charts/pay",
    "shop": "apps/shop/helm",
    "solo": "helm",
}
"""Service → its chart."""
ENVIRONMENTS: Final = ("dev", "prod")

POLICY: Final = """\
version: 1
argocd:
  repository: https://git.example.com/r.git
services:
  path: ["services/*/helm", "apps/*/helm", "charts/*"]
  exclude: ["charts/platform"]
  release: "{service}"
  application: "{service}-{environment}"
  secret: "{release}-secret"
  values: ["values.yaml", "envs/{environment}/{service}.yaml"]
  migrations: "services/{service}/migrations"
  named: {solo: {path: helm}}
environments:
  dev: {branch: develop, sync: auto, namespace_suffix: -dev}
  prod: {branch: main, sync: manual, namespace_suffix: -prod}
"""

TEMPLATE: Final = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}
data:
  deep: "{{ .Values.deep.a }}-{{ .Values.deep.b }}"
  level: {{ .Values.level | quote }}
"""


def files() -> dict[str, str]:
    """Path → text."""
    texts = {"hanbae.yaml": POLICY}
    for name, chart in {**SERVICES, "platform": "charts/platform"}.items():
        texts[f"{chart}/Chart.yaml"] = f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n"
        texts[f"{chart}/values.yaml"] = "deep: {a: 1, b: 2}\nlevel: none\n"
        texts[f"{chart}/templates/settings.yaml"] = TEMPLATE
    for name in SERVICES:
        for environment in ENVIRONMENTS:
            text = f"level: {environment} of {name}\ndeep: {{b: {environment}}}\n"
            texts[f"envs/{environment}/{name}.yaml"] = text
    return texts


def write(root: Path) -> None:
    """Write the files below a folder."""
    for path, text in files().items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
