"""``hanbae secrets``: what is written, what is refused, and that the plaintext is nowhere to be found."""

from __future__ import annotations

import base64
import io
import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support import sealing

from hanbae.actions import init, new_service, seal
from hanbae.charts import scaffold_record, values
from hanbae.cli import main
from hanbae.policy import loading
from hanbae.sealing import encrypting

CANARY = "postgresql://shop:c4n4ry-p%40ss'w\"ord@db:5432/auth"
QUOTED = '"' + CANARY.replace('"', '\\"') + '"'
"""As an env file has it: both quotes are in it."""
KEY, OTHER = sealing.key(), sealing.key("stranger")
LABEL = {env: f"services-{env}/auth-secrets".encode() for env in ("dev", "staging", "production")}


def certificate(key: rsa.RSAPrivateKey, *, days: int = 30) -> bytes:
    begins = datetime.now(UTC) - timedelta(days=20)
    name = x509.Name([])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one service, whose three environments are in one cluster."""
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    (tmp_path / "cert.pem").write_bytes(certificate(KEY))
    (tmp_path / "other.pem").write_bytes(certificate(OTHER))
    monkeypatch.chdir(root)
    return root


def values_file(shop: Path, environment: str) -> Path:
    return shop / "services" / "auth" / "helm" / f"values-{environment}.yaml"


def unsealed(shop: Path, environment: str, key: str, private: rsa.RSAPrivateKey = KEY) -> bytes:
    document = values.read(values_file(shop, environment), "values")
    sealed = document.get(("sealedSecret", "encryptedData", key))
    return encrypting.decrypt(sealed, [private], LABEL[environment]).unmask()


class Stdin(io.TextIOWrapper):
    """Standard input that is no terminal."""


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", Stdin(io.BytesIO(stdin)))
        code = main.run(["--lang", "en", "secrets", *arguments])
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


Run = Callable[..., tuple[int, str, str]]
OFFLINE = ("--certificate", "../cert.pem")


def test_value_of_stdin_is_sealed_into_the_values_file_and_nothing_else_changes(
    shop: Path, run: Run
) -> None:
    before = values_file(shop, "dev").read_text()
    code, out, err = run(
        "seal",
        "auth",
        "DATABASE_URL",
        "--env",
        "dev",
        "--stdin",
        *OFFLINE,
        stdin=f"{CANARY}\n".encode(),
    )
    assert (code, out) == (0, "DATABASE_URL\n")
    assert "newline" in err or "seal.newline" in err
    assert unsealed(shop, "dev", "DATABASE_URL") == CANARY.encode()
    after = values_file(shop, "dev").read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert [line.split(":")[0].strip() for line in added] == [
        "encryptedData",
        "DATABASE_URL",
        "certificate",
        "certificateSources",
        "sha256",
    ]
    gone = [line for line in before.splitlines() if line not in after.splitlines()]
    assert gone == ["  encryptedData: {}"]
    assert "values-staging" not in out


def test_json_names_what_the_values_are_bound_to(shop: Path, run: Run) -> None:
    code, out, _ = run(
        "seal", "auth", "JWT_SECRET", "--env", "dev", "--stdin", *OFFLINE, "-o", "json", stdin=b"c4n4ry-value"
    )  # fmt: skip
    document = json.loads(out)
    assert code == 0
    assert document["secret"] == "services-dev/auth-secrets"
    assert document["keys"] == ["JWT_SECRET"]
    assert document["certificate"].startswith("sha256:")
    assert document["renewed"] is False


def test_only_the_keys_that_are_set_change(shop: Path, run: Run) -> None:
    run(
        "seal",
        "auth",
        "--env",
        "dev",
        "--stdin",
        *OFFLINE,
        stdin=b"DATABASE_URL=c4n4ry-1\nJWT_SECRET=c4n4ry-2\n",
    )
    before = values_file(shop, "dev").read_text()
    run("seal", "auth", "JWT_SECRET", "--env", "dev", "--stdin", *OFFLINE, stdin=b"c4n4ry-3")
    after = values_file(shop, "dev").read_text()
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert [line.split(":")[0].strip() for line in changed] == ["JWT_SECRET"]
    assert unsealed(shop, "dev", "DATABASE_URL") == b"c4n4ry-1"
    assert unsealed(shop, "dev", "JWT_SECRET") == b"c4n4ry-3"


def test_env_file_gives_all_its_keys_or_those_that_are_named(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    env_file = tmp_path / "auth.env"
    env_file.write_text(
        f"export DATABASE_URL='{CANARY.replace(chr(39), '')}'\nJWT_SECRET=\"c4n4ry\\n\"\n"
    )
    run("seal", "auth", "JWT_SECRET", "--env", "dev", "--from-env-file", str(env_file), *OFFLINE)
    assert unsealed(shop, "dev", "JWT_SECRET") == b"c4n4ry\n"
    assert "DATABASE_URL: A" not in values_file(shop, "dev").read_text()
    assert run("seal", "auth", "--env", "dev", "--from-env-file", str(env_file), *OFFLINE)[0] == 0
    assert unsealed(shop, "dev", "DATABASE_URL") == CANARY.replace("'", "").encode()
    code, _, err = run(
        "seal", "auth", "NOPE", "--env", "dev", "--from-env-file", str(env_file), *OFFLINE
    )
    assert code == 2
    assert "NOPE" in err


SEAL = ("seal", "auth", "A", "--env", "dev", "--stdin")
WRONG = [
    pytest.param(["seal", "auth", "A", "--env", "dev", *OFFLINE], b"", "terminal", id="nobody to ask"),
    pytest.param(["seal", "auth", "--env", "dev", *OFFLINE], b"", "nothing|KEY", id="no key"),
    pytest.param(["seal", "auth", "A", "--env", "dev", "--stdin", *OFFLINE], b"", "empty", id="empty"),
    pytest.param(["seal", "auth", "A", "--env", "dev", "--stdin", *OFFLINE], b"x\0y", "nul|NUL", id="nul"),
    pytest.param(["seal", "auth", "A B", "--env", "dev", "--stdin", *OFFLINE], b"x", "KEY[1]", id="key"),
    pytest.param(["seal", "auht", "A", "--env", "dev", "--stdin", *OFFLINE], b"x", "auht", id="service"),
    pytest.param(["seal", "../auth", "A", "--env", "dev", "--stdin", *OFFLINE], b"x", "auth", id="path"),
    pytest.param(["seal", "auth", "A", "--env", "prod", "--stdin", *OFFLINE], b"x", "prod", id="environment"),
    pytest.param(["seal", "auth", "A", "--env", "local", "--stdin", *OFFLINE], b"x", "compose", id="compose"),
    pytest.param(["seal", "auth", "A", "--env", "dev", "--stdin"], b"x" * (1 << 20) + b"y", "1024", id="too large"),
    pytest.param([*SEAL, "--certificate", "hanbae.yaml"], b"x", "hanbae.yaml", id="certificate"),
    pytest.param([*SEAL, "--from-env-file", "hanbae.yaml"], b"x", "", id="two sources"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "stdin", "message"), WRONG)
def test_wrong_use_changes_nothing_and_names_the_thing(
    shop: Path, run: Run, arguments: list[str], stdin: bytes, message: str
) -> None:
    before = values_file(shop, "dev").read_bytes()
    code, _, err = run(*arguments, stdin=stdin)
    assert code == 2
    assert any(word in err for word in message.split("|"))
    assert values_file(shop, "dev").read_bytes() == before


def test_expired_certificate_is_refused(shop: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "old.pem").write_bytes(certificate(KEY, days=10))
    code, _, err = run(
        "seal", "auth", "A", "--env", "dev", "--stdin", "--certificate", "../old.pem", stdin=b"x"
    )
    assert code == 5
    assert (datetime.now(UTC) - timedelta(days=10)).date().isoformat() in err


def test_another_certificate_is_refused_until_it_is_accepted(shop: Path, run: Run) -> None:
    seal = ("seal", "auth", "A", "--env", "dev", "--stdin", "--certificate")
    assert run(*seal, "../cert.pem", stdin=b"x")[0] == 0
    before = values_file(shop, "dev").read_bytes()
    code, _, err = run(*seal, "../other.pem", stdin=b"x")
    assert code == 5
    assert "values-dev.yaml:" in err
    assert values_file(shop, "dev").read_bytes() == before
    code, _, err = run(*seal, "../other.pem", "--accept-certificate", stdin=b"y")
    assert code == 0
    assert unsealed(shop, "dev", "A", OTHER) == b"y"


def test_list_shows_where_each_certificate_came_from(shop: Path, run: Run) -> None:
    seal = ("seal", "auth", "--env", "dev", "--stdin", "--certificate")
    assert run(*seal, "../cert.pem", "A", stdin=b"x")[0] == 0
    assert run(*seal, "../other.pem", "B", "--accept-certificate", stdin=b"y")[0] == 0
    assert run(*seal, str(shop.parent / "other.pem"), "C", stdin=b"z")[0] == 0
    _, out, _ = run("list", "auth", "--env", "dev", "-o", "json")
    sources = {key["key"]: key.get("source") for key in json.loads(out)["keys"]}
    assert (sources["A"], sources["B"], sources["C"]) == ("cert.pem", "other.pem", "other.pem")
    _, out, _ = run("list", "auth", "--env", "dev")
    (line,) = [line for line in out.splitlines() if "cert.pem" in line]
    fingerprints = {
        key["certificate"]
        for key in json.loads(run("list", "auth", "--env", "dev", "-o", "json")[1])["keys"]
    }
    assert [text for text in fingerprints if text and text in line]
    assert str(shop.parent) not in values_file(shop, "dev").read_text()


def test_a_chart_whose_schema_has_no_room_for_sources_is_given_none(shop: Path, run: Run) -> None:
    path = shop / "services/auth/helm/values.schema.json"
    schema = json.loads(path.read_text())
    del schema["properties"]["sealedSecret"]["properties"]["certificateSources"]
    path.write_text(json.dumps(schema))
    code, _, _ = run("seal", "auth", "A", "--env", "dev", "--stdin", *OFFLINE, stdin=b"x")
    assert code == 0
    assert "certificateSources" not in values_file(shop, "dev").read_text()


@pytest.mark.parametrize(
    ("policy_names_the_cluster", "context"),
    [(True, None), (True, "elsewhere"), (False, None)],
    ids=["the policy's cluster", "a context of the command line", "whatever is current"],
)
def test_renewed_certificate_is_taken_only_when_the_user_says_so(
    shop: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    *,
    policy_names_the_cluster: bool,
    context: str | None,
) -> None:
    if policy_names_the_cluster:
        policy = (shop / "hanbae.yaml").read_text()
        assert "  dev:\n" in policy
        (shop / "hanbae.yaml").write_text(policy.replace("  dev:\n", "  dev:\n    workload: dev\n"))

    async def renewed(*arguments: object, **options: object) -> tuple[bytes, str]:
        assert options["context"] == context
        return certificate(OTHER), "the controller"

    monkeypatch.setattr(seal, "fetch_certificate", renewed)
    assert run("seal", "auth", "A", "--env", "dev", "--stdin", *OFFLINE, stdin=b"x")[0] == 0
    more = ("--context", context) if context else ()
    again = ("seal", "auth", "A", "--env", "dev", "--stdin", "-o", "json", *more)
    assert run(*again, stdin=b"y")[0] == 5
    assert unsealed(shop, "dev", "A") == b"x"
    code, out, _ = run(*again, "--accept-certificate", stdin=b"y")
    assert code == 0
    assert json.loads(out)["renewed"] is True
    assert unsealed(shop, "dev", "A", OTHER) == b"y"


def test_environments_of_one_cluster_share_a_certificate(shop: Path, run: Run) -> None:
    for environment in ("dev", "staging"):
        assert (
            run("seal", "auth", "A", "--env", environment, "--stdin", *OFFLINE, stdin=b"x")[0] == 0
        )
    assert unsealed(shop, "staging", "A") == b"x"


def test_certificate_of_another_environments_cluster_is_refused(shop: Path, run: Run) -> None:
    policy = (shop / "hanbae.yaml").read_text()
    policy = policy.replace("  production:\n", "  production:\n    control: production\n")
    assert "control: production" in policy
    (shop / "hanbae.yaml").write_text(policy)
    assert run("seal", "auth", "A", "--env", "dev", "--stdin", *OFFLINE, stdin=b"x")[0] == 0
    code, _, err = run("seal", "auth", "A", "--env", "production", "--stdin", *OFFLINE, stdin=b"x")
    assert code == 5
    assert "dev" in err
    assert "A:" not in values_file(shop, "prod").read_text()


def test_list_and_verify_tell_what_is_missing_and_what_cannot_be_sealed(
    shop: Path, run: Run
) -> None:
    _, out, _ = run("list", "--output", "json")
    assert {
        (k["environment"], k["key"], k["state"], k["needed_by"]) for k in json.loads(out)["keys"]
    } == {
        (name, "DATABASE_URL", "missing", "migration") for name in ("dev", "staging", "production")
    }
    for environment in ("dev", "staging", "production"):
        run("seal", "auth", "DATABASE_URL", "--env", environment, "--stdin", *OFFLINE, stdin=b"x")
    assert run("verify")[0] == 0
    run("seal", "auth", "JWT_SECRET", "--env", "dev", "--stdin", *OFFLINE, stdin=b"x")
    with values.editing(values_file(shop, "staging"), "v") as document:
        document.set("sealedSecret.encryptedData.DATABASE_URL", CANARY)
    code, out, _ = run("list", "--output", "json")
    states = {
        (k["environment"], k["key"]): (k["state"], k["needed_by"]) for k in json.loads(out)["keys"]
    }
    assert code == 0
    assert states == {
        ("dev", "DATABASE_URL"): ("sealed", "migration"),
        ("dev", "JWT_SECRET"): ("sealed", ""),
        ("staging", "DATABASE_URL"): ("malformed", "migration"),
        ("staging", "JWT_SECRET"): ("missing", "environments"),
        ("production", "DATABASE_URL"): ("sealed", "migration"),
        ("production", "JWT_SECRET"): ("missing", "environments"),
    }
    bound = {(k["secret"], k["namespace"], k["scope"]) for k in json.loads(out)["keys"]}
    assert bound == {
        ("auth-secrets", f"services-{name}", "strict") for name in ("dev", "staging", "production")
    }
    code, out, err = run("verify", "auth", "--env", "staging")
    assert code == 1
    assert "hanbae secrets seal auth DATABASE_URL JWT_SECRET --env staging" in err
    assert len([line for line in out.splitlines() if not line.startswith(" ")]) == 2
    assert run("verify", "--env", "dev")[0] == 0
    assert run("verify", "--env", "dev", "--context", "x")[0] == 2, "no cluster is asked"


@pytest.mark.parametrize("plaintext", [CANARY, "c4n4ry of no known shape"], ids=["url", "text"])
def test_bug_in_the_middle_of_sealing_leaves_no_plaintext_in_the_report(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plaintext: str
) -> None:
    from cryptography.hazmat.primitives.ciphers import aead

    def broken(self: object, *arguments: object) -> bytes:
        raise RuntimeError(f"cannot encrypt {arguments!r}")

    # The worst case: a library that puts the plaintext itself into its error.
    monkeypatch.setattr(
        aead, "AESGCM", type("AESGCM", (), {"__init__": lambda *_: None, "encrypt": broken})
    )
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, _, _ = run(
        "seal",
        "auth",
        "DATABASE_URL",
        "--env",
        "dev",
        "--stdin",
        *OFFLINE,
        stdin=plaintext.encode(),
    )
    assert code == 70
    (log,) = tmp_path.glob("hanbae-bug-*.log")
    assert "RuntimeError" in log.read_text()
    assert "c4n4ry" not in log.read_text()
    left = {path.name for path in values_file(shop, "dev").parent.glob(".hanbae-*")}
    assert left == {scaffold_record.NAME}


def test_prompt_on_a_terminal_hides_what_is_typed(shop: Path) -> None:
    main_end, child_end = pty.openpty()
    words = [
        sys.executable,
        "-m",
        "hanbae",
        "--lang",
        "en",
        "secrets",
        "seal",
        "auth",
        "JWT_SECRET",
        "--env",
        "dev",
        *OFFLINE,
    ]
    process = subprocess.Popen(
        words,
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
        start_new_session=True,
        env=environment(),
    )
    os.close(child_end)
    shown = b""
    typed = False
    while True:
        try:
            chunk = os.read(main_end, 4096)
        except OSError:  # the terminal of a process that has ended
            break
        if not chunk:
            break
        shown += chunk
        if not typed and b"JWT_SECRET" in shown and b":" in shown:
            typed = True
            os.write(main_end, b"c4n4ry-typed\n")
    os.close(main_end)
    assert process.wait(30) == 0, shown.decode()
    assert b"c4n4ry" not in shown
    assert unsealed(shop, "dev", "JWT_SECRET") == b"c4n4ry-typed"


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(main.__file__).parents[2])}


@pytest.fixture
def strace() -> str:
    program = shutil.which("strace")
    if program is None:
        pytest.fail("strace is not installed: apt-get install strace (./dev test does it)")
    return program


@pytest.mark.parametrize("source", ["stdin", "env file"])
def test_plaintext_is_in_no_argument_no_file_and_no_message(
    shop: Path, strace: str, tmp_path: Path, source: str
) -> None:
    trace = tmp_path / "trace"
    words = [
        "secrets",
        "seal",
        "auth",
        "DATABASE_URL",
        "--env",
        "dev",
        "--certificate",
        str(tmp_path / "cert.pem"),
    ]
    stdin = b""
    if source == "stdin":
        words.append("--stdin")
        stdin = CANARY.encode()
    else:
        (tmp_path / "auth.env").write_text(f"DATABASE_URL={QUOTED}\n")
        words += ["--from-env-file", str(tmp_path / "auth.env")]
    # Every call of every process is recorded in full, but for what only reads or maps memory.
    calls = "trace=!read,pread64,readv,preadv,preadv2,mmap,munmap,mprotect,brk,futex,rt_sigaction"
    ended = subprocess.run(
        [strace, "-f", "-v", "-s", "1000000", "-e", calls, "-o", str(trace), sys.executable, "-m", "hanbae", *words],
        input=stdin, capture_output=True, env=environment(), check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode()
    recorded = trace.read_text(errors="replace")
    assert "execve(" in recorded
    assert ".hanbae-" in recorded  # the file was written, and strace saw it
    assert "rename" in recorded
    document = values.read(values_file(shop, "dev"), "v")
    assert document.get(("sealedSecret", "encryptedData", "DATABASE_URL")) in recorded
    for spelled in (
        "c4n4ry",
        base64.b64encode(CANARY.encode()).decode()[:24],
        "".join(f"\\x{byte:02x}" for byte in b"c4n4ry"),
        b"c4n4ry".hex(),
    ):
        assert spelled not in recorded
    assert b"c4n4ry" not in ended.stdout + ended.stderr
    assert unsealed(shop, "dev", "DATABASE_URL") == CANARY.encode()


def test_values_file_that_leads_out_of_the_repository_is_not_written(shop: Path, run: Run) -> None:
    values_file(shop, "dev").unlink()
    outside = shop.parent / "outside.yaml"
    outside.write_text("sealedSecret: {}\n")
    values_file(shop, "dev").symlink_to(outside)
    code, _, err = run("seal", "auth", "TOKEN", "--env", "dev", "--stdin", *OFFLINE, stdin=b"x")
    assert code == 2
    assert "services/auth/helm/values-dev.yaml" in err
    assert outside.read_text() == "sealedSecret: {}\n"


def test_values_file_that_is_a_named_pipe_is_refused_instead_of_waited_for(
    shop: Path, run: Run
) -> None:
    values_file(shop, "dev").unlink()
    os.mkfifo(values_file(shop, "dev"))
    code, _, err = run("list", "auth", "--env", "dev")
    assert code == 2
    assert "values-dev.yaml" in err


def test_file_of_secrets_that_cannot_be_read_is_named(shop: Path, run: Run) -> None:
    code, _, err = run(
        "seal", "auth", "--env", "dev", "--from-env-file", str(shop / "services"), *OFFLINE
    )
    assert code == 2
    assert f"{shop}/services" in err


def test_key_with_control_characters_does_not_reach_the_terminal(shop: Path, run: Run) -> None:
    with values.editing(values_file(shop, "dev"), "values") as document:
        document.update({("sealedSecret", "encryptedData", "A\x1b[31mB"): "AgA="})
    _, out, _ = run("list", "auth", "--env", "dev")
    assert "\x1b" not in out


def test_keys_that_another_environment_has_are_sealed_here(shop: Path, run: Run) -> None:
    two = f"DATABASE_URL={QUOTED}\nJWT_SECRET=c4n4ry\n".encode()
    dev = ("seal", "auth", "--env", "dev", "DATABASE_URL", "JWT_SECRET", "--stdin", *OFFLINE)
    assert run(*dev, stdin=two)[0] == 0
    here = ("seal", "auth", "--env", "staging", "--stdin", "--certificate", "../other.pem")
    assert run(*here, "JWT_SECRET", stdin=b"c4n4ry-staging")[0] == 0
    code, out, _ = run(*here, "--same-as", "dev", stdin=f"{CANARY}".encode())
    assert (code, out) == (0, "DATABASE_URL\n")
    assert unsealed(shop, "staging", "JWT_SECRET", OTHER) == b"c4n4ry-staging"
    assert unsealed(shop, "staging", "DATABASE_URL", OTHER) == CANARY.encode()
    before = values_file(shop, "staging").read_text()
    code, out, err = run(*here, "--same-as", "dev", stdin=b"c4n4ry")
    assert (code, out) == (0, "")
    assert "every key" in err
    assert run(*here, "KEY", "--same-as", "dev", stdin=b"c4n4ry")[0] == 2
    assert run(*here, "--same-as", "prod", stdin=b"c4n4ry")[0] == 2
    assert values_file(shop, "staging").read_text() == before


def test_an_environment_without_values_here_is_not_taken_for_a_model(shop: Path, run: Run) -> None:
    dev = ("seal", "auth", "--env", "dev", "DATABASE_URL", "--stdin", *OFFLINE)
    assert run(*dev, stdin=CANARY.encode())[0] == 0
    here = ("seal", "auth", "--env", "dev", "--stdin", *OFFLINE)
    code, out, err = run(*here, "--same-as", "staging", stdin=b"c4n4ry")
    assert (code, out) == (5, "")
    assert "Nothing is sealed for staging" in err
    assert "every key" not in err
    subprocess.run(["git", "init", "-q", "-b", "elsewhere"], cwd=shop, check=True)
    person = ["-c", "user.name=mina", "-c", "user.email=mina@example.com"]
    subprocess.run(
        ["git", *person, "commit", "-q", "--allow-empty", "-m", "One"], cwd=shop, check=True
    )
    branch = loading.load(shop / "hanbae.yaml").policy.environments["staging"].branch
    code, _, err = run(*here, "--same-as", "staging", stdin=b"c4n4ry")
    assert code == 5
    assert f"on this branch (elsewhere); staging's own is {branch}" in err
    assert f"git merge origin/{branch}" in err


def test_other_services_are_listed_where_one_is_broken(shop: Path, run: Run) -> None:
    new_service.new_service(shop, "identity")
    broken = shop / "services/identity/helm/values-dev.yaml"
    broken.write_text(broken.read_text() + "service: ]\n")
    for command in ("list", "verify"):
        code, out, err = run(command)
        assert code == 2
        assert "auth" in out
        assert "services/identity/helm/values-dev.yaml:" in err
