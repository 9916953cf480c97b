"""What is set around the tests does not reach them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import ambient


def test_variables_that_change_behaviour_are_removed() -> None:
    environment = {
        "CI": "true",
        "GIT_DIR": "/elsewhere/.git",
        "HANBAE_LANG": "ko",
        "HANBAE_TEST_SANDBOX": "second",
        "KUBECONFIG": "/etc/kubernetes/admin.conf",
        "LANG": "ko_KR.UTF-8",
        "LC_ALL": "ko_KR.UTF-8",
        "PATH": "/usr/bin",
        "PGHOST": "db.example.com",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ambient.clear(environment)
    assert environment == {
        "HANBAE_TEST_SANDBOX": "second",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin",
    }


def test_every_pytest_clears_them_before_it_collects() -> None:
    root = Path(__file__).parents[2]
    script = (
        "import os, pytest\n"
        "class Probe:\n"
        "    def pytest_collection(self, session):\n"
        "        print(sorted({'CI', 'COLUMNS', 'GIT_DIR'} & set(os.environ)), os.environ['LANG'])\n"
        "        pytest.exit('seen', returncode=0)\n"
        "pytest.main(['-q', '-p', 'no:cacheprovider', 'tests/unit/test_ambient.py'], plugins=[Probe()])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env=os.environ
        | {"CI": "true", "COLUMNS": "20", "GIT_DIR": "/nowhere", "LANG": "ko_KR.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "[] C.UTF-8" in ended.stdout


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_test_begins_without_the_language_of_the_one_before(language: str) -> None:
    assert "LANGUAGE" not in os.environ
    os.environ["LANGUAGE"] = language
