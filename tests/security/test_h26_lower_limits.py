"""Where a machine allows less than hanbae would give its helpers, they get that, and nothing ends in a traceback."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

SCRIPT = """
import resource
from hanbae import confinement
resource.setrlimit(resource.RLIMIT_AS, (3 * 1024**3, 3 * 1024**3))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
confinement.confine(memory=8 * 1024**3, cpu=3600)
print(*[resource.getrlimit(limit)[1] for limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU)])
"""


def test_a_helper_keeps_a_limit_that_is_lower_already() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100, check=True
    )
    assert ended.stdout.split() == [str(3 * 1024**3), "30"]


@pytest.mark.parametrize("module", ["hanbae.images.layer_worker", "hanbae.rules.expression_worker"])
def test_a_helper_answers_under_lower_limits(module: str) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    ended = subprocess.run(
        [sys.executable, "-I", "-m", module],
        input=b'{"folder": "/", "layers": 0, "most_bytes": 1, "most_members": 1}\n'
        if "layer" in module
        else b"",
        capture_output=True,
        timeout=100,
        check=False,
        preexec_fn=limit,
    )
    assert ended.returncode == 0, ended.stderr
