"""Which image an environment runs is read in its commit; where that fails, a rehearsal says why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanbae import workspaces
from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.rehearsing import deployed_files

VALUES = "services/auth/helm/values-prod.yaml"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(tmp_path, "auth", image="registry.example.com/shop/auth")
    commit(tmp_path, "init", "-q")
    return tmp_path


def commit(root: Path, *first: str) -> None:
    git = ("git", "-c", "user.name=shop", "-c", "user.email=shop@example.com", "-C", str(root))
    for words in (first, ("add", "-A"), ("commit", "-qm", "x")):
        if words:
            subprocess.run([*git, *words], check=True)


async def read(root: Path) -> deployed_files.Images:
    with workspaces.opened(root) as space:
        revision = space.checkout.revision("HEAD")
        return await deployed_files.read(space, revision, "auth", "production", ["auth_db"])


async def test_a_commit_without_an_image_is_told_as_one(shop: Path) -> None:
    (notice,) = (await read(shop)).notices
    assert notice.id == "rehearsal.commit-without-image"


FAULTS = {
    "values that are no YAML": (VALUES, "a: [\n", "did not find expected node content"),
    "a chart that does not render": (
        "services/auth/helm/templates/x.yaml",
        '{{ fail "because of this" }}',
        "because of this",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_commit_that_cannot_be_read_is_told_with_its_fault(shop: Path, name: str) -> None:
    """It names an image, and that it names none would be untrue."""
    with values.editing(shop / VALUES, VALUES) as document:
        document.update({("image", "tag"): "1.0.0"})
    path, text, why = FAULTS[name]
    (shop / path).write_text(text)
    commit(shop)
    notice, *reasons = (await read(shop)).notices
    assert notice.id == "rehearsal.commit-unread"
    assert notice.facts["place"].startswith("services/auth/helm/")
    assert why in " ".join(map(str, reasons))
