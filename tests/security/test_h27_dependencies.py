"""A branch's Chart.yaml says where charts come from, and whoever answers there says what comes.

Neither may learn the user's logins, write a file, take the process's memory, or have something rendered that is not
what was announced.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support import chart_repositories

from hanbae import errors
from hanbae.actions import fetch_dependencies
from hanbae.charts import dependency_cache, gathering, repository_index, web
from hanbae.repository import trees

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/r.git"}
services: {path: "services/*/helm"}
environments:
  dev: {branch: develop, sync: auto, namespace_suffix: -dev}
"""
CHART = b"apiVersion: v2\nname: cache\nversion: 1.0.0\n"
Member = tuple[str, bytes] | tarfile.TarInfo


def archive(*members: Member) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                entry = tarfile.TarInfo(member[0])
                entry.size = len(member[1])
                tar.addfile(entry, io.BytesIO(member[1]))
    return content.getvalue()


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


GOOD = archive(("cache/Chart.yaml", CHART))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[chart_repositories.Repository, ...]]:
    """The repository that the user has logged in to, and a stranger's."""
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(chart_repositories.serving(tmp_path / name))
            for name in ("own", "stranger")
        )


@pytest.fixture
def own(
    two: tuple[chart_repositories.Repository, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> chart_repositories.Repository:
    """The repository that the user has logged in to; of the stranger's, only the authority is known."""
    for name, folder in (
        ("HELM_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state"),
        ("DOCKER_CONFIG", "docker"),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("SSL_CERT_FILE", str(two[1].authority))
    config = tmp_path / "config/repositories.yaml"
    chart_repositories.added(config, ("own", two[0]), login=True)
    return two[0]


@pytest.fixture
def stranger(two: tuple[chart_repositories.Repository, ...]) -> chart_repositories.Repository:
    return two[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    chart_repositories.write(folder / "services/orders/helm", "orders", "0.1.0", {})
    (folder / "hanbae.yaml").write_text(POLICY)
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def depend(root: Path, repository: str, version: str = "1.0.0") -> None:
    text = "apiVersion: v2\nname: orders\nversion: 0.1.0\ndependencies:\n- name: cache\n"
    text += f"  version: {version}\n  repository: '{repository}'\n"
    (root / "services/orders/helm/Chart.yaml").write_text(text)


def offer(
    repository: chart_repositories.Repository,
    content: bytes = GOOD,
    *,
    url: str = "cache-1.0.0.tgz",
    digest: str | None = None,
) -> None:
    (repository.folder / "cache-1.0.0.tgz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest() if digest is None else digest
    entry = {"name": "cache", "version": "1.0.0", "urls": [url], "digest": digest}
    index = {"apiVersion": "v1", "entries": {"cache": [entry]}}
    (repository.folder / "index.yaml").write_text(json.dumps(index))


def kept() -> list[Path]:
    """The archives in the cache."""
    return list(Path(os.environ["XDG_CACHE_HOME"], "hanbae/charts/sha256").glob("*"))


def links(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_symlink()]


async def refused(root: Path) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        await fetch_dependencies.update(root)
    assert not (root / "services/orders/helm/Chart.lock").exists()
    assert kept() == []
    return caught.value


async def test_a_login_goes_to_its_own_repository(
    root: Path, own: chart_repositories.Repository
) -> None:
    offer(own)
    depend(root, own.address)
    await fetch_dependencies.update(root)
    assert [request.authorization[:6] for request in own.requests] == ["Basic ", "Basic "]


@pytest.mark.parametrize("way", ["chart", "index", "redirect of the index", "redirect", "path"])
async def test_no_login_goes_anywhere_else(
    root: Path,
    own: chart_repositories.Repository,
    stranger: chart_repositories.Repository,
    way: str,
) -> None:
    offer(own)
    offer(stranger)
    depend(root, own.address)
    if way == "chart":
        depend(root, stranger.address)
    elif way == "index":
        offer(own, url=f"{stranger.address}/cache-1.0.0.tgz")
    elif way == "redirect of the index":
        own.redirects["/index.yaml"] = f"{stranger.address}/index.yaml"
    elif way == "redirect":
        own.redirects["/cache-1.0.0.tgz"] = f"{stranger.address}/cache-1.0.0.tgz"
    else:
        depend(root, f"{stranger.address}/{own.address}")
        (stranger.folder / own.address).mkdir(parents=True)
        for name in ("index.yaml", "cache-1.0.0.tgz"):
            (stranger.folder / own.address / name).write_bytes(
                (stranger.folder / name).read_bytes()
            )
    await fetch_dependencies.update(root)
    assert stranger.requests
    assert {request.authorization for request in stranger.requests} == {""}


async def test_another_path_of_the_same_host_gets_no_login(
    root: Path, own: chart_repositories.Repository
) -> None:
    depend(root, f"{own.address}/elsewhere")
    await refused(root)  # nor is its authority known for it
    assert all(request.authorization == "" for request in own.requests)


@pytest.mark.parametrize(
    ("location", "text_id"),
    [
        ("http://127.0.0.1:1/index.yaml", "dependencies.not-https"),
        ("file:///etc/passwd", "dependencies.not-https"),
        ("/index.yaml", "dependencies.redirects"),
        ("https://169.254.169.254/latest", "dependencies.link-local"),
        ("https://[fe80::1]/latest", "dependencies.link-local"),
        ("https://[::ffff:169.254.169.254]/latest", "dependencies.link-local"),
        ("https://user:secret@127.0.0.1/", "dependencies.credentials-in-url"),
        ("https://127.0.0.1:port/", "dependencies.no-address"),
        ("https://127.0.0.1:99999999/", "dependencies.no-address"),
        ("//user:secret@127.0.0.1:port", "dependencies.no-address"),
        ("//user:secret@127.0.0.1/", "dependencies.credentials-in-url"),
        ("/" + "a" * 70_000, "dependencies.no-address"),
    ],
)
async def test_no_redirect_leads_to_where_nobody_may_go(
    root: Path, own: chart_repositories.Repository, location: str, text_id: str
) -> None:
    offer(own)
    own.redirects["/index.yaml"] = location
    depend(root, own.address)
    error = await refused(root)
    assert error.text.id == text_id
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("repository", "text_id"),
    [
        ("http://127.0.0.1:1", "dependencies.no-repository"),
        ("https://169.254.169.254", "dependencies.link-local"),
        ("https://0.0.0.0", "dependencies.link-local"),
        ("https://u:c4n4ry@charts.example.com", "dependencies.credentials-in-url"),
        ("https://", "dependencies.not-https"),
        ("https://127.0.0.1:99999999", "dependencies.no-address"),
        ("https://[", "dependencies.unreachable"),
        ("oci://", "dependencies.no-reference"),
        ("oci://u:c4n4ry@registry.example.com/x", "dependencies.no-reference"),
        ("ssh://x", "dependencies.no-repository"),
        ("@nobody", "dependencies.no-repository"),
        ("file:///etc", "dependencies.no-repository"),
        ("file://../../../../etc", "dependencies.no-repository"),
    ],
)
async def test_no_chart_leads_to_where_nobody_may_go(
    root: Path, own: chart_repositories.Repository, repository: str, text_id: str
) -> None:
    depend(root, repository)
    error = await refused(root)
    assert error.text.id == text_id


async def test_an_archive_that_is_not_the_announced_one_is_not_kept(
    root: Path, own: chart_repositories.Repository
) -> None:
    offer(own, digest="0" * 64)
    depend(root, own.address)
    assert (await refused(root)).text.id == "dependencies.other-digest"


BOMBS: dict[str, Callable[[], bytes]] = {
    "no archive": lambda: b"hello",
    "no chart": lambda: archive(("cache/values.yaml", b"a: 1\n")),
    "above": lambda: archive(("cache/Chart.yaml", CHART), ("cache/../../evil", b"x")),
    "absolute": lambda: archive(("cache/Chart.yaml", CHART), ("cache//etc/evil", b"x")),
    "at the root": lambda: archive(("Chart.yaml", CHART)),
    "zeros": lambda: archive(("cache/Chart.yaml", CHART), ("cache/zeros", bytes(160 << 20))),
    "members": lambda: archive(
        ("cache/Chart.yaml", CHART), *((f"cache/templates/{n}", b"") for n in range(20_001))
    ),
    "nested": lambda: archive(
        ("cache/Chart.yaml", CHART),
        *(
            (f"cache/charts/n{n}-1.0.0.tgz", archive((f"n{n}/Chart.yaml", CHART), (f"n{n}/z", bytes(90 << 20))))
            for n in range(2)
        ),
        *((f"cache/charts/m{n}-1.0.0.tgz", b"\x1f\x8b\x08") for n in range(3)),
    ),
    "another chart": lambda: archive(("evil/Chart.yaml", CHART.replace(b"cache", b"evil"))),
    "another version": lambda: archive(("cache/Chart.yaml", CHART.replace(b"1.0.0", b"9.0.0"))),
    "deep": lambda: archive(("cache/Chart.yaml", CHART), ("cache/values.yaml", b"[" * 100_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
async def test_an_archive_that_is_no_chart_is_not_kept(
    root: Path, own: chart_repositories.Repository, name: str
) -> None:
    offer(own, BOMBS[name]())
    depend(root, own.address)
    error = await refused(root)
    assert isinstance(error, errors.FileFault), error
    assert not list(root.parent.rglob("*evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
async def test_a_link_in_an_archive_leads_nowhere(
    root: Path, own: chart_repositories.Repository, kind: bytes
) -> None:
    secret = root.parent / "secret"
    secret.write_text("c4n4ry: x\n")
    content = archive(("cache/Chart.yaml", CHART), link("cache/values.yaml", str(secret), kind))
    offer(own, content)
    depend(root, own.address)
    await fetch_dependencies.update(root)
    chart = "services/orders/helm"
    tree = trees.WorkingTree(root)
    files, _ = gathering.completed(tree, chart, gathering.files(tree, chart), ["cache"])
    assert files["charts/cache-1.0.0.tgz"] == content  # as it came; nobody has unpacked it
    assert links(root) == []


async def test_an_archive_without_end_is_bounded(
    root: Path, own: chart_repositories.Repository
) -> None:
    offer(own)
    with (own.folder / "cache-1.0.0.tgz").open("wb") as file:
        file.truncate(dependency_cache.LARGEST + 1)
    depend(root, own.address)
    assert (await refused(root)).text.id == "dependencies.too-large"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "entries:\n  cache:\n" + "".join("  " + " " * n + f"k{n}:\n" for n in range(600)),
        "a: &a [x]\nentries: {cache: [{version: *a}]}\n",
        "a: 1\n",
        "- 1\n",
        "entries: [",
        "{",
        '{"entries": {"cache": [{"version": 1e999}]}}',
        '{"entries": {"cache": [{"version": "\udcff"}]}}',
        "",
    ],
    ids=[
        "deep", "indented", "alias", "none", "list", "broken", "json", "number", "letter", "empty",
    ],
)  # fmt: skip
def test_an_index_that_is_none_is_one_fault(text: str) -> None:
    with pytest.raises(repository_index.Fault):
        repository_index.versions(text.encode(errors="surrogateescape"), ["cache"])


async def test_an_index_without_end_is_bounded(
    root: Path, own: chart_repositories.Repository
) -> None:
    with (own.folder / "index.yaml").open("wb") as file:
        file.truncate(repository_index.LARGEST + 1)
    depend(root, own.address)
    assert (await refused(root)).text.id == "dependencies.too-large"


async def test_what_was_changed_in_the_cache_is_not_used(
    root: Path, own: chart_repositories.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(own)
    depend(root, own.address)
    await fetch_dependencies.update(root)
    assert dependency_cache.find(own.address, "cache", "1.0.0") == GOOD
    # A cache that another job has filled comes without this user's secret.
    with monkeypatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(root.parent / "other"))
        assert dependency_cache.find(own.address, "cache", "1.0.0") is None
    (blob,) = kept()
    blob.write_bytes(archive(("cache/Chart.yaml", CHART), ("cache/evil", b"x")))
    assert dependency_cache.find(own.address, "cache", "1.0.0") is None
    own.requests.clear()
    await fetch_dependencies.build(root)
    assert own.requests  # fetched again
    assert dependency_cache.find(own.address, "cache", "1.0.0") == GOOD


async def test_a_lock_that_leads_elsewhere_is_not_written_through(
    root: Path, own: chart_repositories.Repository
) -> None:
    outside = root.parent / "outside"
    outside.write_text("mine\n")
    (root / "services/orders/helm/Chart.lock").symlink_to(outside)
    offer(own)
    depend(root, own.address)
    with pytest.raises(errors.FileFault):
        await fetch_dependencies.update(root)
    assert outside.read_text() == "mine\n"


def test_addresses_are_told_without_what_is_secret_in_them() -> None:
    with pytest.raises(errors.Refused) as caught:
        web.parsed("https://u:c4n4ry@charts.example.com/x?token=c4n4ry")
    assert "c4n4ry" not in str(caught.value)
