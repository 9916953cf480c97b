"""Several workers begin to collect at different modules, and leave none out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support import collecting


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of five modules: one needs its conftest, one cannot be imported, one skips itself."""
    folder = tmp_path / "collected"
    folder.mkdir()
    for number in range(5):
        (folder / f"test_{number}.py").write_text("")
    (folder / "test_1.py").write_text("raise RuntimeError")
    (folder / "test_3.py").write_text("import pytest\npytest.skip(allow_module_level=True)\n")
    (folder / "conftest.py").write_text("COLLECTED = []\n")
    (folder / "test_0.py").write_text("import sys\nassert 'collected.conftest' in sys.modules\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_each_module_is_the_share_of_one_worker(tests: Path) -> None:
    modules = collecting.modules([f"{tests}/test_4.py::test_x", str(tests)])
    assert {path.name for path in modules} == {f"test_{number}.py" for number in range(5)}
    shares = [collecting.share(modules, worker, 4) for worker in range(4)]
    assert sorted(path for share in shares for path in share) == modules


@pytest.mark.parametrize(("worker", "numbers"), [("gw0", {0, 2, 4}), ("gw1", set()), ("", set())])
def test_a_worker_imports_its_share_and_leaves_what_fails_to_pytest(
    tests: Path, monkeypatch: pytest.MonkeyPatch, worker: str, numbers: set[int]
) -> None:
    # Only for this call: a report that is made under the name of a worker is not recorded.
    with monkeypatch.context() as patched:
        patched.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
        patched.setenv("PYTEST_XDIST_WORKER", worker)
        collecting.begin(tests.parent, [str(tests)])
    names = {f"collected.test_{number}": number for number in range(5)}
    assert {names[name] for name in list(sys.modules) if name in names} == numbers
    for name in names:
        sys.modules.pop(name, None)
