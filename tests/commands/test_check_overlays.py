"""``hanbae check`` on a repository whose service has overlays and no chart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hanbae.cli import main
from hanbae.sandbox import demo_repository

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
JOB = """\
apiVersion: batch/v1beta1
kind: CronJob
metadata:
  name: often
spec: {}
"""


def test_a_service_without_a_chart_is_named_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "shop"
    shutil.copytree(demo_repository.example(), root)
    overlay = root / "services/often/overlays/dev"
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text(
        f"{HEAD}namespace: services-dev\nresources: [job.yaml]\n"
    )
    (overlay / "job.yaml").write_text(JOB)
    assert main.run(["-C", str(root), "check", "often", "--output", "json"]) == 1
    result = json.loads(capsys.readouterr().out)
    (finding,) = [
        finding for finding in result["findings"] if finding["code"].startswith(("KUB", "KUS"))
    ]
    assert finding["code"] == "KUB004"
    assert finding["service"] == "often"
    assert finding["place"] == {
        "file": "services/often/overlays/dev/job.yaml",
        "line": 1,
        "column": 0,
    }
