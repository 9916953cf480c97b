"""``hanbae secrets seal``: several environments at once, values from files and manifests, new ones, none any more."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import sealing

from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.cli import main

KEYS = {name: sealing.key(name) for name in ("dev", "staging")}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service whose environments are in clusters of their own."""
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git")
    new_service.new_service(root, "auth")
    for name, key in KEYS.items():
        (tmp_path / f"{name}.pem").write_bytes(sealing.certificate(key))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main.run(["--lang", "en", "secrets", *arguments])
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


def path(shop: Path, environment: str) -> Path:
    return shop / "services/auth/helm" / f"values-{environment}.yaml"


def opened(shop: Path, environment: str) -> dict[str, bytes]:
    data = values.read(path(shop, environment), "v").get(("sealedSecret", "encryptedData"))
    policy_namespace = {
        "dev": "services",
        "staging": "services",
    }[environment]
    return {
        key: sealing.unsealed(text, KEYS[environment], f"{policy_namespace}/auth-secrets")
        for key, text in (data or {}).items()
    }


DEV = ("seal", "auth", "--env", "dev", "--certificate", "../dev.pem")
BOTH = (
    "seal", "auth", "--env", "dev", "--env", "staging",
    "--certificate", "dev=../dev.pem", "--certificate", "staging=../staging.pem",
)  # fmt: skip


SLOW = {"asyncio", "cryptography.x509", "difflib", "email.utils", "hashlib", "pygit2", "shutil"}
"""What takes long to import, and what no value needs that is sealed for a remembered certificate."""


def test_sealing_for_the_remembered_certificate_begins_without_what_it_does_not_need(
    shop: Path, run: Run
) -> None:
    assert run(*DEV, "TOKEN", "--stdin", stdin=b"c4n4ry")[0] == 0
    code = (
        "import sys; before = set(sys.modules); from hanbae.cli import main;"
        "ended = main.run(sys.argv[1:]);"
        "print(*(set(sys.modules) - before), file=sys.stderr); sys.exit(ended)"
    )
    command = ["secrets", "seal", "auth", "TOKEN", "--stdin", "--env=dev"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *command, "--certificate=../dev.pem"],
        input=b"value",
        capture_output=True,
        check=True,
    )
    imported = set(ended.stderr.decode().split())
    assert not SLOW & imported, SLOW & imported
    assert opened(shop, "dev") == {"TOKEN": b"value"}


def test_one_run_seals_for_each_environments_own_certificate(shop: Path, run: Run) -> None:
    code, out, err = run(*BOTH, "TOKEN", "--stdin", stdin=b"c4n4ry")
    assert code == 0, err
    assert out == "dev  TOKEN\nstaging  TOKEN\n"
    assert opened(shop, "dev") == opened(shop, "staging") == {"TOKEN": b"c4n4ry"}
    code, out, _ = run(*BOTH, "TOKEN", "--stdin", "-o", "json", stdin=b"c4n4ry")
    assert [sealed["environment"] for sealed in json.loads(out)["sealed"]] == ["dev", "staging"]


def test_a_certificate_that_is_refused_leaves_every_environment_as_it_was(
    shop: Path, run: Run
) -> None:
    assert run(*BOTH, "TOKEN", "--stdin", stdin=b"c4n4ry")[0] == 0
    before = {name: path(shop, name).read_bytes() for name in KEYS}
    swapped = ["../staging.pem" if word == "staging=../staging.pem" else word for word in BOTH]
    swapped[-1] = "staging=../dev.pem"
    code, _, err = run(*swapped, "TOKEN", "--stdin", stdin=b"c4n4ry-2")
    assert code == 5
    assert "values-staging.yaml:" in err
    assert {name: path(shop, name).read_bytes() for name in KEYS} == before


def test_generated_values_are_others_in_each_environment(shop: Path, run: Run) -> None:
    code, _, err = run(*BOTH, "--generate", "JWT_SECRET=32", "--generate", "SALT=16")
    assert code == 0, err
    dev, staging = opened(shop, "dev"), opened(shop, "staging")
    assert dev.keys() == staging.keys() == {"JWT_SECRET", "SALT"}
    assert dev["JWT_SECRET"] != staging["JWT_SECRET"]
    assert len(base64.urlsafe_b64decode(dev["JWT_SECRET"] + b"=")) == 32


def test_file_is_sealed_byte_by_byte_where_pods_mount_it(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "key.p12").write_bytes(b"\x00\xffc4n4ry\n")
    (tmp_path / "text").write_bytes(b"c4n4ry\n")
    code, _, err = run(*DEV, "--from-file", "TEXT=../text")
    assert code == 0, err
    assert opened(shop, "dev") == {"TEXT": b"c4n4ry\n"}
    # The scaffolded pods read every key of the Secret as a variable.
    before = path(shop, "dev").read_bytes()
    code, _, err = run(*DEV, "--from-file", "key.p12=../key.p12")
    assert code == 2
    assert "NUL" in err
    assert path(shop, "dev").read_bytes() == before
    deployment = shop / "services/auth/helm/templates/deployment.yaml"
    text = deployment.read_text()
    assert "envFrom" in text
    deployment.write_text(text.replace("envFrom", "x-envFrom").replace("secretRef", "x-secretRef"))
    for template in deployment.parent.glob("migration-job.yaml"):
        template.unlink()
    code, _, err = run(*DEV, "--from-file", "key.p12=../key.p12")
    assert code == 0, err
    assert opened(shop, "dev")["key.p12"] == b"\x00\xffc4n4ry\n"


def test_removed_key_leaves_the_rest_of_the_file_alone(shop: Path, run: Run) -> None:
    assert run(*DEV, "--stdin", stdin=b"A=c4n4ry-a\nB=c4n4ry-b\n")[0] == 0
    before = path(shop, "dev").read_text()
    code, out, err = run("seal", "auth", "--env", "dev", "--remove", "A")
    assert (code, out) == (0, "A\n"), err
    assert opened(shop, "dev") == {"B": b"c4n4ry-b"}
    gone = set(before.splitlines()) - set(path(shop, "dev").read_text().splitlines())
    assert [line.split(":")[0].strip() for line in gone] == ["A"]
    code, _, err = run(*DEV, "B", "--stdin", "--remove", "B", stdin=b"c4n4ry")
    assert code == 2
    code, out, err = run(*DEV, "C", "B", "--stdin", stdin=b"C=c4n4ry-c\nB=c4n4ry\n")
    assert "New: C" in err
    assert "Replaced: B" in err
    code, _, err = run("seal", "auth", "--env", "dev", "--remove", "A")
    assert code == 2
    assert "hanbae secrets list auth --env dev" in err
    assert run("seal", "auth", "--env", "dev", "--remove", "B", "--remove", "C")[0] == 0
    assert opened(shop, "dev") == {}


def test_manifest_gives_its_values(shop: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"
        f"data: {{A: {base64.b64encode(b'c4n4ry').decode()}, B: YQ==}}\nstringData: {{B: c4n4ry-b}}\n"
    )
    code, _, err = run(*DEV, "--from-manifest", "../secret.yaml")
    assert code == 0, err
    assert opened(shop, "dev") == {"A": b"c4n4ry", "B": b"c4n4ry-b"}


def test_registry_login_is_looked_at_before_it_is_sealed(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    login = json.dumps({"auths": {"registry.example.com": {"auth": "c4n4ry"}}})
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": login},
    }
    (tmp_path / "login.json").write_text(json.dumps(manifest))
    code, _, err = run(*DEV, "--from-manifest", "../login.json")
    assert code == 0, err
    assert "kubernetes.io/dockerconfigjson" in err
    assert opened(shop, "dev") == {".dockerconfigjson": login.encode()}
    manifest["stringData"] = {".dockerconfigjson": "c4n4ry"}
    (tmp_path / "login.json").write_text(json.dumps(manifest))
    assert run(*DEV, "--from-manifest", "../login.json")[0] == 2


@pytest.mark.parametrize(
    "value", ["c4n4ry $HOME", "c4n4ry&x", "~c4n4ry", "c4n4ry # x", "it's-c4n4ry"]
)
def test_env_file_needs_quotes_where_others_read_it_differently(
    shop: Path, run: Run, tmp_path: Path, value: str
) -> None:
    (tmp_path / "x.env").write_text(f"A=1\nB={value}\n")
    code, _, err = run(*DEV, "--from-env-file", "../x.env")
    assert code == 2
    assert "x.env:2" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([*DEV, "--generate", "c4n4ry"], "KEY=BYTES", id="no assignment"),
        pytest.param([*DEV, "--generate", "A=c4n4ry"], "--generate A=", id="no length"),
        pytest.param([*DEV, "--generate", "A=8"], "16", id="too short"),
        pytest.param([*DEV, "--generate", "A=00102400"], "1024", id="too long"),
        pytest.param([*DEV, "--generate", f"A=001000{'0' * 5000}"], "1024", id="no number"),
        pytest.param([*DEV, "--generate", "A=32", "--generate", "A=32"], "A", id="twice"),
        pytest.param([*DEV, "--from-file", "A=nowhere"], "nowhere", id="no file"),
        pytest.param([*DEV, "--from-manifest", "hanbae.yaml"], "hanbae.yaml", id="no Secret"),
        pytest.param([*DEV, "A", "--generate", "A=32", "--stdin"], "A", id="two values"),
        pytest.param([*BOTH[:6], "A", "--stdin", "--certificate", "../dev.pem"], "ENV=", id="whose"),
        pytest.param([*BOTH, "--same-as", "production"], "one environment", id="same as"),
    ],
)  # fmt: skip
def test_wrong_use_changes_nothing(
    shop: Path, run: Run, arguments: list[str], message: str
) -> None:
    before = {name: path(shop, name).read_bytes() for name in KEYS}
    code, _, err = run(*arguments, stdin=b"x")
    assert code == 2
    assert message in err
    assert {name: path(shop, name).read_bytes() for name in KEYS} == before


def test_one_file_that_cannot_be_edited_leaves_every_environment_as_it_was(
    shop: Path, run: Run
) -> None:
    """The second environment's file is found out when the first one's text is made already."""
    path(shop, "staging").write_text("image: &a {repository: r}\nsealedSecret: *a\n")
    before = {name: path(shop, name).read_bytes() for name in KEYS}
    code, _, err = run(*BOTH, "TOKEN", "--stdin", stdin=b"c4n4ry")
    assert code == 2
    assert "values-staging.yaml" in err
    assert {name: path(shop, name).read_bytes() for name in KEYS} == before


def test_a_file_that_cannot_be_replaced_leaves_every_environment_as_it_was(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: path(shop, name).read_bytes() for name in KEYS}
    rename = Path.replace

    def refusing(self: Path, target: Path) -> Path:
        if target.name == "values-staging.yaml" and self.name.startswith(".hanbae"):
            raise PermissionError(1, "Operation not permitted")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    code, _, err = run(*BOTH, "TOKEN", "--stdin", stdin=b"c4n4ry")
    assert code == 2
    assert "values-staging.yaml" in err
    assert "Operation not permitted" in err
    assert {name: path(shop, name).read_bytes() for name in KEYS} == before
    assert not [
        file
        for file in path(shop, "dev").parent.iterdir()
        if file.name.startswith(".hanbae-") and "scaffold" not in file.name
    ]


def test_two_commands_at_once_lose_neither_value(shop: Path, run: Run, tmp_path: Path) -> None:
    """Both seal for both environments; the files that one reads are those that the other has written."""
    words = [sys.executable, "-m", "hanbae", "secrets", *BOTH, "--stdin"]
    commands = [
        subprocess.Popen([*words, key], cwd=shop, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for key in ("ONE", "TWO")
    ]
    for command in commands:
        _, err = command.communicate(b"c4n4ry")
        assert command.returncode == 0, err
    assert set(opened(shop, "dev")) == set(opened(shop, "staging")) == {"ONE", "TWO"}


def test_more_values_than_one_process_seals_open_in_every_environment(shop: Path, run: Run) -> None:
    values_ = {f"KEY_{number:03}": f"c4n4ry-{number}" for number in range(150)}
    lines = "".join(f"{key}={value}\n" for key, value in values_.items())
    code, _, err = run(*BOTH, "--stdin", stdin=lines.encode())
    assert code == 0, err
    expected = {key: value.encode() for key, value in values_.items()}
    assert opened(shop, "dev") == opened(shop, "staging") == expected
