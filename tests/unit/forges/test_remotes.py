"""What git takes for a remote's address, as a forge's host and repository."""

from __future__ import annotations

import pytest

from hanbae.forges import remotes


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://git.example.com/shop/backend.git", "git.example.com", 443, "shop/backend"),
        (
            "https://ann:pass@Git.Example.com:8443/shop/backend",
            "git.example.com",
            8443,
            "shop/backend",
        ),
        ("http://127.0.0.1:3000/ann/shop.git", "127.0.0.1", 3000, "ann/shop"),
        (
            "ssh://git@git.example.com:2222/shop/backend.git/",
            "git.example.com",
            None,
            "shop/backend",
        ),
        (
            "git@git.example.com:shop/group/backend.git",
            "git.example.com",
            None,
            "shop/group/backend",
        ),
        ("git.example.com:shop/backend", "git.example.com", None, "shop/backend"),
        ("https://[::1]:3000/ann/shop", "::1", 3000, "ann/shop"),
    ],
)
def test_each_way_of_writing_it(url: str, host: str, port: int | None, path: str) -> None:
    assert remotes.read(url) == remotes.Remote(host, port, path)


@pytest.mark.parametrize(
    "url",
    [
        "/srv/git/shop.git",
        "../shop.git",
        "file:///srv/git/shop.git",
        "./with:colon/shop.git",
        "https://git.example.com/shop.git",
        "https://git.example.com/../../api",
        "https://git.example.com/shop/back?end",
        "https://git.example.com:port/shop/backend",
        "https://[git/shop/backend",
        "ext::sh -c touch% /tmp/x",
        "https:///shop/backend",
        "git@host:shop/" + "x" * 2000,
        "",
    ],
)
def test_what_no_forge_has(url: str) -> None:
    assert remotes.read(url) is None
