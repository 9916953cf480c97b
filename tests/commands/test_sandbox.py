"""What ``hanbae sandbox`` says of sandboxes that are not there; those that are, are in tests/e2e."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hanbae import errors, wording
from hanbae.cli import main
from hanbae.sandbox import binaries, folders, identities, running


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HANBAE_LANG", "en")
    monkeypatch.delenv("HANBAE_SANDBOX", raising=False)


def test_the_status_of_none_is_absent_and_not_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["sandbox", "status", "--output", "json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["state"] == "absent"
    assert "hanbae sandbox up" in err


def test_the_status_of_one_that_has_died_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    folder = folders.of("default")
    folder.make()
    identity = identities.derive(folder.root, ())
    folders.write(
        folder.identity, json.dumps({k: getattr(identity, k) for k in identity.__struct_fields__})
    )
    assert main.run(["sandbox", "status", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"


def test_taking_down_what_is_not_there_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["sandbox", "down"]) == 0
    assert "no sandbox" in capsys.readouterr().err


def test_a_shell_gets_no_variables_of_one_that_is_not_running(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.run(["sandbox", "env"]) == 4
    assert capsys.readouterr().out == ""


def test_the_name_can_come_from_the_environment_that_env_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANBAE_SANDBOX", "mine")
    main.run(["sandbox", "status", "--output", "json"])
    assert json.loads(capsys.readouterr().out)["name"] == "mine"


@pytest.mark.parametrize("command", ["up", "down", "status", "env"])
def test_a_name_that_cannot_be_one_is_wrong_use(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**_: object) -> None:
        pytest.fail("nothing may be built for a wrong name")

    monkeypatch.setattr(binaries, "obtain", never)
    assert main.run(["sandbox", command, "--name", "Not_A_Host"]) == 2
    assert "Not_A_Host" in capsys.readouterr().err


def test_a_machine_that_cannot_run_one_hears_why_and_what_to_do_instead(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "lacking", lambda: [wording.Text("sandbox.needs-root")])
    assert main.run(["sandbox", "up"]) == 4
    stderr = capsys.readouterr().err
    assert "root" in stderr
    assert "--context" in stderr


def test_ctrl_c_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "up", interrupted)
    assert main.run(["sandbox", "up"]) == errors.Stopped.exit_code
    assert "hanbae sandbox down" in capsys.readouterr().err
