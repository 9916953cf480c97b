"""A token in the place of a URL's user name: refused before it is written, found where it stands, shown nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import releases

from hanbae import errors, subjects
from hanbae.cli import main
from hanbae.masking import shapes
from hanbae.policy import loading
from hanbae.rules import rulebook, running, views
from hanbae.rules.layout import plaintexts

# Put together here, so that no scanner takes this file for a leak.
BODY = "k3Jd8sQ0zXv7Lm2Wn5Rb9Tc4Yf6Hg1Pa0eUi"
GITHUB = f"ghp_{BODY}"
GITLAB = "glpat-" + "xK3d9QpZ7vL2mW8nR5bT"
CI_JOB = "glcbt-64_" + "xK3d9QpZ7vL2mW8nR5bT"
PLAIN_HEX = "9f3c1b7a5d8e2046f1c3b5a79d8e20461c3b5a79"
TOKENS = [GITHUB, GITLAB, CI_JOB, "github_pat_" + BODY, "gho_" + BODY, PLAIN_HEX]


@pytest.mark.parametrize("token", TOKENS)
def test_init_refuses_a_repository_with_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], token: str
) -> None:
    url = f"https://{token}@github.com/x/shop.git"
    assert main.run(["--lang", "en", "-C", str(tmp_path), "init", "--repository", url]) == 2
    assert not list(tmp_path.iterdir())
    output = capsys.readouterr()
    assert token not in output.out + output.err


@pytest.mark.parametrize("token", TOKENS)
def test_policy_with_a_token_in_the_repository_is_refused(token: str) -> None:
    text = f"version: 1\nargocd: {{repository: 'https://{token}@github.com/x/shop.git'}}\n"
    text += "environments: {dev: {branch: develop, values: values-dev.yaml}}\n"
    with pytest.raises(errors.FileFault) as caught:
        loading.parse(text.encode(), "hanbae.yaml")
    assert caught.value.text.id == "policy.password-in-url"
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/shop.git",
        "https://git@github.com/x/shop.git",
        "https://ann@bitbucket.org/team/shop.git",
        "https://release-automation-team@bitbucket.org/team/shop.git",
        "ssh://git@github.com:22/x/shop.git",
        "git@github.com:x/shop.git",
    ],
)
def test_url_with_a_person_or_nobody_is_accepted(url: str) -> None:
    assert not shapes.in_url(url)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    "line",
    [
        "repoURL: https://{}@github.com/x/shop.git",
        "  - url: git+https://{}@github.com/x/shop.git",
        "repoURL: 'https://{}@github.com/x/shop.git'",
    ],
)
def test_token_in_a_url_of_a_file_is_found(token: str, line: str) -> None:
    (plain,) = plaintexts.find(line.format(token) + "\n")
    assert plain.kind in {"token", "url"}
    assert token not in str(plain)


@pytest.mark.parametrize(
    "before", ["/", "=", "-", "_", "--token=", "-t=", "x_", "Bearer ", '"', "("]
)
def test_token_is_found_whatever_sign_is_before_it(before: str) -> None:
    (plain,) = plaintexts.find(f"args: {before}{GITHUB}\n")
    assert (plain.kind, plain.name) == ("token", "GitHub")


def test_prefix_inside_of_a_word_or_of_base64_is_none() -> None:
    assert plaintexts.find(f"data: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxghp_{BODY}\n") == ()


def test_example_of_a_token_is_none() -> None:
    assert (
        plaintexts.find("url: https://ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@github.com/x\n")
        == ()
    )


def test_finding_about_a_url_does_not_repeat_its_credential() -> None:
    url = f"https://{GITHUB}@github.com/x/other.git"
    place = subjects.Place("k8s/argocd/auth.yaml", 5)

    def check(_: views.Project) -> Iterator[rulebook.Hit]:
        yield rulebook.Hit(place, {"found": url, "wanted": "https://u:hunter2@git/x", "n": "1"})

    rule = rulebook.Rule("ENV002", "error", "project", check, "a test", essential=True)
    (result,) = running.over_project(releases.project(), [rule])
    assert result.hit.facts == {
        "found": "https://•••@github.com/x/other.git",
        "wanted": "https://u:•••@git/x",
        "n": "1",
    }
