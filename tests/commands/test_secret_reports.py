"""``hanbae secrets report`` and ``backup verify``: what git's history makes due, and what a backup opens."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support import sealing

from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.cli import main
from hanbae.repository import histories
from hanbae.sealing import certificates

FORMER, NEWEST = sealing.key("former"), sealing.key("newest")
PEMS = {"former": sealing.certificate(FORMER), "newest": sealing.certificate(NEWEST)}
MINA, JUN = "Mina@example.com", "jun@example.com"
Run = Callable[..., tuple[int, str, str]]


def fingerprint(name: str) -> str:
    return certificates.parse(PEMS[name], name).fingerprint


def commit(shop: Path, author: str, *, age: int) -> None:
    """Commit everything, `age` days ago."""
    time = (datetime.now(UTC) - timedelta(days=age, hours=1)).isoformat()
    environment = {
        "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": author, "GIT_AUTHOR_DATE": time,
        "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": author, "GIT_COMMITTER_DATE": time,
        "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "Secrets"]):
        subprocess.run(["git", *words], cwd=shop, env=environment, check=True)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(["--lang", "en", "secrets", *arguments])
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shop and the keys beside it, made once: to seal and to commit takes longer than a report."""
    folder = tmp_path_factory.mktemp("reported")
    root = folder / "shop"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=develop"], cwd=root, check=True)
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    for name, pem in PEMS.items():
        (folder / f"{name}.pem").write_bytes(pem)
    (folder / "former.key").write_bytes(sealing.pem(FORMER) + PEMS["former"])
    (folder / "both.key").write_bytes(sealing.pem(FORMER) + sealing.pem(NEWEST) + PEMS["newest"])

    def secrets(*arguments: str) -> None:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            assert main.run(["--lang", "en", "secrets", *arguments]) == 0, output.getvalue()
        assert "c4n4ry" not in output.getvalue()

    seal = ("seal", "auth", "--env", "dev", "--from-env-file", "../auth.env")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        (folder / "auth.env").write_text("TOKEN=c4n4ry\n")
        secrets(*seal, "--certificate", "../former.pem")
        commit(root, MINA, age=100)
        secrets("reseal", "--env", "dev", "--keys", "../both.key", "--accept-certificate")
        commit(root, JUN, age=50)
        (folder / "auth.env").write_text("PASSWORD=c4n4ry\n")
        secrets(*seal, "--certificate", "../newest.pem")
        commit(root, JUN, age=10)
    return folder


@pytest.fixture
def shop(reported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TOKEN is of mina, 100 days old, and was sealed anew by jun; PASSWORD is new, and of jun."""
    shutil.copytree(reported, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def dev(shop: Path, service: str = "auth") -> Path:
    return shop / "services" / service / "helm" / "values-dev.yaml"


def rows(output: str) -> dict[str, dict[str, object]]:
    return {row["key"]: row for row in json.loads(output)["keys"]}


def test_age_is_of_the_value_and_not_of_the_seal(shop: Path, run: Run) -> None:
    code, out, err = run("report", "-o", "json")
    assert code == 0, err
    keys = rows(out)
    assert {key: row["days"] for key, row in keys.items()} == {"TOKEN": 100, "PASSWORD": 10}
    assert {key: row["author"] for key, row in keys.items()} == {"TOKEN": MINA, "PASSWORD": JUN}
    assert keys["TOKEN"]["certificates"] == [fingerprint("former"), fingerprint("newest")]
    assert keys["PASSWORD"]["certificates"] == [fingerprint("newest")]


@pytest.mark.filterwarnings("default::hanbae.wording.Warned")
def test_former_content_that_was_too_large_to_be_read_is_told(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "LARGEST_FILE", 10)
    code, _, err = run("report")
    assert code == 0
    assert f"{dev(shop).relative_to(shop)} is too large to be read" in err


@pytest.mark.parametrize(
    ("policy", "due"),
    [
        ("{TOKEN: 99d}", {"TOKEN"}),
        ("{TOKEN: 100d}", set()),
        ('{"*": 5d}', {"TOKEN", "PASSWORD"}),
        ('{"*": 5d, TOKEN: 365d}', {"PASSWORD"}),
    ],
)
def test_policy_says_how_old_a_value_may_be(
    shop: Path, run: Run, policy: str, due: set[str]
) -> None:
    text = (shop / "hanbae.yaml").read_text()
    assert "\nsecrets:\n" in text
    (shop / "hanbae.yaml").write_text(
        text.replace("\nsecrets:\n", f"\nsecrets:\n  max_age: {policy}\n")
    )
    code, out, err = run("report", "-o", "json")
    assert {key for key, row in rows(out).items() if "age" in row["due"]} == due  # type: ignore[operator]
    assert code == bool(due), err
    for key in due:
        assert f"hanbae secrets seal auth {' '.join(sorted(due))} --env dev" in err, key


@pytest.mark.parametrize("age", ["90", "0d", "90h", "d", "-1d"])
def test_an_age_that_is_none_is_a_fault_of_the_policy(shop: Path, run: Run, age: str) -> None:
    text = (shop / "hanbae.yaml").read_text()
    (shop / "hanbae.yaml").write_text(
        text.replace("\nsecrets:\n", f'\nsecrets:\n  max_age: {{"*": "{age}"}}\n')
    )
    code, _, err = run("report")
    assert code == 2
    assert "hanbae.yaml:" in err


def test_leaked_key_makes_due_what_was_ever_sealed_for_it(shop: Path, run: Run) -> None:
    code, out, err = run("report", "--leaked", fingerprint("former")[:20], "-o", "json")
    assert code == 1
    assert {key for key, row in rows(out).items() if row["due"] == ["leaked"]} == {"TOKEN"}
    assert "renew the controller's key" in err
    code, out, _ = run("report", "--leaked", fingerprint("newest"), "-o", "json")
    assert {key for key, row in rows(out).items() if row["due"]} == {"TOKEN", "PASSWORD"}
    assert run("report", "--leaked", "sha256:")[0] == 2
    assert run("report", "--leaked", fingerprint("former").removeprefix("sha256:"))[0] == 2


def test_departed_person_makes_due_what_that_person_has_committed(shop: Path, run: Run) -> None:
    code, out, _ = run("report", "--departed", MINA.upper(), "-o", "json")
    assert code == 1
    assert {key for key, row in rows(out).items() if row["due"]} == {"TOKEN"}
    code, out, err = run("report", "--departed", MINA)
    assert "due: somebody who has left" in out
    assert "hanbae secrets seal auth TOKEN --env dev" in err
    assert run("report", "--departed", "nobody@example.com")[0] == 0
    assert run("report", "--departed", MINA, "--env", "staging")[0] == 0


def test_value_that_is_not_committed_is_new(shop: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "auth.env").write_text("TOKEN=c4n4ry-2\n")
    seal = ("seal", "auth", "--env", "dev", "--from-env-file", "../auth.env")
    assert run(*seal, "--certificate", "../newest.pem")[0] == 0
    token = rows(run("report", "-o", "json")[1])["TOKEN"]
    assert (token["days"], token["commit"]) == (0, "")
    assert token["former"] == [MINA]
    due = rows(run("report", "--departed", MINA.upper(), "-o", "json")[1])["TOKEN"]["due"]
    assert due == ["departed"], "part of it may have stayed the same"
    assert "not committed yet" in run("report")[1]


def test_backup_opens_what_is_checked_out_and_what_the_branch_has(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    code, _, err = run("backup", "verify", "../both.key")
    assert code == 0, err
    assert "all 2" in err
    code, out, err = run("backup", "verify", "../former.key")
    assert code == 1
    assert out.count("no key of the backup opens it") == 2
    assert fingerprint("newest") in err
    # The branch of the remote still has the value that is sealed for the former certificate.
    first = subprocess.run(
        ["git", "rev-list", "--max-parents=0", "HEAD"], cwd=shop, check=True, capture_output=True
    ).stdout.decode().strip()  # fmt: skip
    for words in (
        ["remote", "add", "origin", "https://git.example.com/shop.git"],
        ["update-ref", "refs/remotes/origin/develop", first],
    ):
        subprocess.run(["git", *words], cwd=shop, check=True)
    (tmp_path / "newest.key").write_bytes(sealing.pem(NEWEST) + PEMS["newest"])
    code, out, _ = run("backup", "verify", "../newest.key", "-o", "json")
    assert code == 1
    closed = [value for value in json.loads(out)["values"] if not value["opened"]]
    assert [(value["key"], value["revision"]) for value in closed] == [("TOKEN", "origin/develop")]
    assert run("backup", "verify", "../both.key")[0] == 0


def test_backup_that_has_nothing_to_open_proves_nothing(shop: Path, run: Run) -> None:
    code, _, err = run("backup", "verify", "../both.key", "--env", "production")
    assert code == 2
    assert "proves nothing" in err


def test_value_that_was_copied_is_opened_only_where_it_is_bound(shop: Path, run: Run) -> None:
    new_service.new_service(shop, "identity")
    data = ("sealedSecret", "encryptedData")
    copied = values.read(dev(shop), "v").get((*data, "TOKEN"))
    for path in (dev(shop, "identity"), dev(shop).with_name("values-staging.yaml")):
        with values.editing(path, "v") as document:
            document.update({(*data, "TOKEN"): copied})
    code, out, _ = run("backup", "verify", "../both.key", "-o", "json")
    assert code == 1
    opened = {
        (row["service"], row["environment"], row["key"]): row["opened"]
        for row in json.loads(out)["values"]
    }
    assert opened == {
        ("auth", "dev", "TOKEN"): True,
        ("auth", "dev", "PASSWORD"): True,
        ("auth", "staging", "TOKEN"): False,
        ("identity", "dev", "TOKEN"): False,
    }
    # Nor does a key open it in a scope for which it was not sealed.
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("  scope: strict\n", "  scope: namespace-wide\n"))
    code, out, _ = run("backup", "verify", "../both.key", "auth", "--env", "dev", "-o", "json")
    assert code == 1
    assert [row["opened"] for row in json.loads(out)["values"]] == [False, False]


def test_backup_says_which_key_opens_a_value_whatever_its_file_remembers(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    with values.editing(dev(shop), "v") as document:
        pin = ("sealedSecret", "certificates", "PASSWORD")
        document.update({pin: fingerprint("former")})
    document = json.loads(run("backup", "verify", "../both.key", "-o", "json")[1])
    assert document["keys"] == [fingerprint("newest")], "the other key has no certificate"
    assert {row["certificate"] for row in document["values"]} == {fingerprint("newest")}
    certified = sealing.pem(FORMER) + sealing.pem(NEWEST) + PEMS["newest"] + PEMS["former"]
    (tmp_path / "certified.key").write_bytes(certified)
    document = json.loads(run("backup", "verify", "../certified.key", "-o", "json")[1])
    assert set(document["keys"]) == {fingerprint("former"), fingerprint("newest")}
    assert {row["certificate"] for row in document["values"]} == {fingerprint("newest")}


def test_branch_of_a_repository_in_a_folder_is_tried(
    shop: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "all" / "shop"
    shutil.copytree(shop, below, ignore=shutil.ignore_patterns(".git"))
    for words in (
        ["init", "--quiet", "--initial-branch=develop"],
        ["remote", "add", "origin", "https://git.example.com/shop.git"],
    ):
        subprocess.run(["git", *words], cwd=below.parent, check=True)
    commit(below, JUN, age=1)
    head = ["update-ref", "refs/remotes/origin/develop", "HEAD"]
    subprocess.run(["git", *head], cwd=below, check=True)
    dev(below).write_bytes(dev(below).with_name("values-staging.yaml").read_bytes())
    monkeypatch.chdir(below)
    code, out, err = run("backup", "verify", "../../both.key", "-o", "json")
    assert code == 0, err
    tried = {(row["key"], row["revision"]) for row in json.loads(out)["values"]}
    assert tried == {("TOKEN", "origin/develop"), ("PASSWORD", "origin/develop")}


@pytest.mark.parametrize(
    "words",
    [
        ("backup", "verify", "../both.key"),
        ("backup", "verify", "../former.key"),
        ("report",),
        ("report", "--departed", MINA),
    ],
    ids=" ".join,
)
def test_a_file_that_cannot_be_read_is_named_and_hides_no_other(
    shop: Path, run: Run, words: tuple[str, ...]
) -> None:
    new_service.new_service(shop, "identity")
    with dev(shop, "identity").open("a") as file:
        file.write("service: ]\n")
    code, out, err = run(*words, "-o", "json")
    assert code == 2
    assert "services/identity/helm/values-dev.yaml:" in err
    document = json.loads(out)
    (unread,) = document["unread"]
    assert unread["place"]["file"] == "services/identity/helm/values-dev.yaml"
    assert unread["place"]["line"] > 1
    assert unread["text"]["facts"]
    shown = document.get("values", document["keys"])
    assert {row["key"] for row in shown} == {"TOKEN", "PASSWORD"}
    assert "all 2 sealed values." not in err
    assert run(*words, "identity")[0] == 2, "and where there is nothing else"


@pytest.mark.filterwarnings("default::hanbae.wording.Warned")
def test_controllers_that_are_not_asked_are_not_out_of_reach(
    shop: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    code, out, err = run("verify", "--live", "--context", "c", "-o", "json")
    assert code == 5, err
    assert [entry["environment"] for entry in json.loads(out)["unreached"]] == ["dev"]
    code, out, err = run("verify", "--live", "--context", "typo")
    assert (code, out) == (2, ""), err
    (tmp_path / "kubeconfig").write_text("contexts: ]\n")
    assert run("verify", "--live", "--context", "c")[0] == 2


def test_a_file_of_a_branch_that_cannot_be_read_is_named_as_git_names_it(
    shop: Path, run: Run
) -> None:
    text = dev(shop).read_text()
    dev(shop).write_text(f"{text}service: ]\n")
    commit(shop, JUN, age=1)
    for words in (
        ["remote", "add", "origin", "https://git.example.com/shop.git"],
        ["update-ref", "refs/remotes/origin/develop", "HEAD"],
    ):
        subprocess.run(["git", *words], cwd=shop, check=True)
    dev(shop).write_text(text)
    code, _, err = run("backup", "verify", "../both.key")
    assert code == 2
    assert "origin/develop:services/auth/helm/values-dev.yaml:" in err
    assert "all 2 sealed values that could be read" in err


def test_backup_as_kubectl_prints_it_is_read(shop: Path, run: Run, tmp_path: Path) -> None:
    keys = {"former": FORMER, "newest": NEWEST}
    documents = [
        "kind: Secret\napiVersion: v1\nmetadata:\n  name: sealed-secrets-key-" + name + "\ndata:\n"
        f"  tls.crt: {base64.b64encode(PEMS[name]).decode()}\n"
        f"  tls.key: {base64.b64encode(sealing.pem(key)).decode()}\n"
        for name, key in keys.items()
    ]
    (tmp_path / "keys.yaml").write_text("---\n".join(documents))
    code, out, err = run("backup", "verify", "../keys.yaml", "-o", "json")
    assert code == 0, err
    document = json.loads(out)
    assert set(document["keys"]) == {fingerprint(name) for name in keys}
    assert all(value["certificate"] == fingerprint("newest") for value in document["values"])
