"""What the tests of what people copy share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.packaging.test_wheel import uv

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the group ``recipes``, in an environment of their own."""
    environment = tmp_path_factory.mktemp("recipes") / "venv"
    command = [uv(), "sync", "--quiet", "--locked", "--only-group", "recipes"]
    variables = os.environ | {
        "UV_PROJECT_ENVIRONMENT": str(environment),
        "UV_PYTHON": sys.executable,
    }
    subprocess.run([*command, "--no-install-project"], cwd=ROOT, env=variables, check=True)
    return environment / "bin"
