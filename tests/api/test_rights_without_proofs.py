"""The deployer's admission policies where no service has a database that could be proven."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from tests.api.deployers import Shop

from hanbae.actions import generate_rbac, init, new_service

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane


def test_api_server_compiles_the_rules_about_proofs(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    """An empty list has elements of no type, which not every expression may be compared with."""
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(tmp_path, "web")
    values = tmp_path / "services/web/helm/values-dev.yaml"
    text = values.read_text()
    assert "enabled: true" in text
    values.write_text(text.replace("enabled: true", "enabled: false", 1))
    asyncio.run(generate_rbac.generate_rbac(tmp_path, environments=["dev"]))
    admission = tmp_path / "k8s/rbac/dev/admission.yaml"
    assert "expression: '[]'" in admission.read_text(), "nothing can be proven"
    shop = Shop(tmp_path, control_plane)
    # Other tests of this API server may have left policies of these names.
    words = ("--server-side", "--force-conflicts", "--dry-run=server", "-f", str(admission))
    applied = shop.run("kubectl", "apply", *words)
    assert "validatingadmissionpolicy.admissionregistration.k8s.io/hanbae-jobs-" in applied
