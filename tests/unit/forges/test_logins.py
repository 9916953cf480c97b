"""Which token goes to which host: the user's word alone, and never another host's."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae import errors
from hanbae.forges import logins, remotes

GITHUB = "https://github.com/shop/backend.git"
GITLAB = "git@gitlab.com:shop/backend.git"
OWN = "https://git.example.com/shop/backend.git"


def login(url: str, home: Path, **variables: str) -> logins.Login | None:
    remote = remotes.read(url)
    assert remote is not None
    return logins.of(remote, {"HOME": str(home), **variables})


@pytest.mark.parametrize(
    ("url", "kind", "variables"),
    [
        (GITHUB, "github", {"GITHUB_TOKEN": "t0ken"}),
        (GITHUB, "github", {"GH_TOKEN": "t0ken", "GITHUB_TOKEN": "other"}),
        ("git@shop.ghe.com:a/b", "github", {"GH_HOST": "shop.ghe.com", "GH_TOKEN": "t0ken"}),
        (OWN, "github", {"GH_HOST": "git.example.com", "GH_ENTERPRISE_TOKEN": "t0ken"}),
        (OWN, "github", {"GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_TOKEN": "t0ken"}),
        (GITLAB, "gitlab", {"GITLAB_TOKEN": "t0ken"}),
        (OWN, "gitlab", {"GITLAB_HOST": "git.example.com", "GITLAB_TOKEN": "t0ken"}),
        (OWN, "gitlab", {"CI_SERVER_URL": "https://git.example.com", "GITLAB_TOKEN": "t0ken"}),
        (OWN, "gitea", {"GITEA_SERVER_URL": "https://git.example.com/", "GITEA_TOKEN": "t0ken"}),
        (OWN, "gitea", {"GITEA_SERVER_URL": "git.example.com", "GITEA_SERVER_TOKEN": "t0ken"}),
        (OWN, "gitea", {"FORGEJO_SERVER_URL": "https://GIT.example.com", "FORGEJO_TOKEN": "t0ken"}),
        (
            OWN,
            "gitea",
            {
                "GITEA_ACTIONS": "true",
                "GITHUB_SERVER_URL": "https://git.example.com",
                "GITHUB_TOKEN": "t0ken",
            },
        ),
    ],
)
def test_variables_of_the_forges_own_programs(
    url: str, kind: str, variables: dict[str, str], tmp_path: Path
) -> None:
    chosen = login(url, tmp_path, **variables)
    assert chosen is not None
    assert (chosen.kind, chosen.token.unmask()) == (kind, b"t0ken")
    assert chosen.source in variables


@pytest.mark.parametrize(
    ("url", "variables"),
    [
        ("https://github.com.example.org/a/b", {"GITHUB_TOKEN": "t0ken"}),
        (OWN, {"GITHUB_TOKEN": "t0ken", "GITLAB_TOKEN": "t0ken"}),
        (GITHUB, {"GH_ENTERPRISE_TOKEN": "t0ken", "GH_HOST": "git.example.com"}),
        (GITHUB, {"GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_TOKEN": "t0ken"}),
        (OWN, {"GITEA_SERVER_URL": "https://git.example.com:8443", "GITEA_TOKEN": "t0ken"}),
        (OWN, {"GITEA_TOKEN": "t0ken"}),
        (OWN, {"GITEA_SERVER_URL": "https://git.example.com", "GITEA_TOKEN": " "}),
        (OWN, {"GITEA_SERVER_URL": "https://[git.example.com", "GITEA_TOKEN": "t0ken"}),
    ],
)
def test_a_token_goes_to_no_host_that_it_was_not_meant_for(
    url: str, variables: dict[str, str], tmp_path: Path
) -> None:
    assert login(url, tmp_path, **variables) is None


def write(home: Path, name: str, text: str) -> None:
    path = home / ".config" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_tea_has_kept(tmp_path: Path) -> None:
    write(
        tmp_path,
        "tea/config.yml",
        "logins:\n- {name: a, url: https://other.example.com, token: wr0ng}\n"
        "- {name: b, url: https://git.example.com, token: t0ken, ssh_host: ssh.example.com}\n",
    )
    for url in (OWN, "git@ssh.example.com:shop/backend.git"):
        chosen = login(url, tmp_path)
        assert chosen is not None
        assert (chosen.kind, chosen.token.unmask()) == ("gitea", b"t0ken")


def test_what_gh_has_kept(tmp_path: Path) -> None:
    write(tmp_path, "gh/hosts.yml", "github.com:\n  user: ann\n  oauth_token: t0ken\n")
    chosen = login(GITHUB, tmp_path)
    assert chosen is not None
    assert (chosen.kind, chosen.token.unmask()) == ("github", b"t0ken")
    other = login(GITHUB, tmp_path, GH_TOKEN="own")
    assert other is not None
    assert other.token.unmask() == b"own"


def test_what_glab_has_kept(tmp_path: Path) -> None:
    write(
        tmp_path,
        "glab-cli/config.yml",
        "hosts:\n  gitlab.com:\n    token: !!null t0ken\n  git.example.com:\n    token: other\n"
        "    api_host: git.example.com/gitlab\n",
    )
    chosen = login(GITLAB, tmp_path)
    assert chosen is not None
    assert (chosen.kind, chosen.token.unmask()) == ("gitlab", b"t0ken")
    below = login("https://git.example.com/gitlab/shop/backend.git", tmp_path)
    assert below is not None
    remote = remotes.read("https://git.example.com/gitlab/shop/backend.git")
    assert remote is not None
    assert (below.url, below.project(remote)) == ("https://git.example.com/gitlab", "shop/backend")


@pytest.mark.parametrize("text", ["", "[", "- a", "logins: 5", "logins: [5]", "a: {b: 1}", "\0"])
def test_a_file_that_is_no_login_is_none(text: str, tmp_path: Path) -> None:
    for name in ("tea/config.yml", "gh/hosts.yml", "glab-cli/config.yml"):
        write(tmp_path, name, text)
    assert login(OWN, tmp_path) is None


def test_no_token_travels_in_the_clear_over_other_peoples_networks(tmp_path: Path) -> None:
    variables = {"GITEA_SERVER_URL": "http://git.example.com", "GITEA_TOKEN": "t0ken"}
    with pytest.raises(errors.Refused) as refused:
        login("http://git.example.com/a/b", tmp_path, **variables)
    assert refused.value.text.id == "forge.plaintext"
    own = {"GITEA_SERVER_URL": "http://10.1.2.3:3000", "GITEA_TOKEN": "t0ken"}
    assert login("http://10.1.2.3:3000/a/b", tmp_path, **own) is not None


@pytest.mark.parametrize("token", ["t0 ken", "t0\nken", "토큰"])
def test_a_token_that_cannot_be_one_is_not_sent(token: str, tmp_path: Path) -> None:
    with pytest.raises(errors.WrongUse) as refused:
        login(GITHUB, tmp_path, GITHUB_TOKEN=token)
    assert refused.value.text.facts == {"host": "github.com", "source": "GITHUB_TOKEN"}
