"""A repository whose services have no charts: one of Kustomize overlays, and one of plain manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Final

POLICY: Final = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
profile: essential
services:
  path: ["apps/*/overlays/{environment}"]
  release: "{service}"
  secret: "{service}-secret"
  named: {plain: {path: "manifests/{environment}"}}
environments:
  dev: {branch: develop, sync: manual, namespace_suffix: -dev}
  production: {branch: main, sync: manual}
migrations: {phase: PreSync}
"""
HEAD: Final = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_JOB: Final = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: web-migrate
  annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: registry.example.com/web:1
          command: [sh, -c, 'goose -dir /migrations postgres "$DATABASE_URL" up']
          env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: web-secret, key: DATABASE_URL}}}]
"""


def deployment(name: str, image: str) -> str:
    """A Deployment of one container."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        # what runs
        - name: {name}
          image: {image} # of {name}
"""


FILES: Final = {
    "hanbae.yaml": POLICY,
    "apps/web/base/kustomization.yaml": f"{HEAD}resources: [deployment.yaml, migrate.yaml]\n",
    "apps/web/base/deployment.yaml": deployment("web", "registry.example.com/web:1"),
    "apps/web/base/migrate.yaml": _JOB,
    "apps/web/migrations/00001_a.sql": "-- +goose Up\nCREATE TABLE a (b int);\n",
    **{
        f"apps/web/overlays/{environment}/kustomization.yaml": f"{HEAD}# {environment}\n"
        f"resources:\n  - ../../base\nimages:\n  - name: registry.example.com/web\n    newTag: {tag}\n"
        for environment, tag in (("dev", '"2.0.0"'), ("production", "1.9.0"))
    },
    **{
        f"manifests/{environment}/all.yaml": "apiVersion: v1\nkind: ConfigMap\n"
        f"metadata: {{name: plain}}\ndata: {{where: {environment}}}\n---\n"
        + deployment("plain", "registry.example.com/plain:1")
        for environment in ("dev", "production")
    },
}
"""Path → text."""


def write(root: Path, changes: dict[str, str] | None = None) -> None:
    """Write the repository, with other texts for some of its files."""
    for path, text in {**FILES, **(changes or {})}.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
