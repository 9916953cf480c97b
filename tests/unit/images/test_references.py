from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import errors
from hanbae.images import references

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest"),
    [
        ("nginx", "docker.io", "library/nginx", "", ""),
        ("nginx:1.27", "docker.io", "library/nginx", "1.27", ""),
        ("shop/auth", "docker.io", "shop/auth", "", ""),
        ("docker.io/nginx", "docker.io", "library/nginx", "", ""),
        ("index.docker.io/shop/auth", "docker.io", "shop/auth", "", ""),
        ("localhost/auth", "localhost", "auth", "", ""),
        ("localhost:5000/auth:1", "localhost:5000", "auth", "1", ""),
        ("10.89.0.2:5000/shop/auth", "10.89.0.2:5000", "shop/auth", "", ""),
        ("[::1]:5000/shop/auth:x", "[::1]:5000", "shop/auth", "x", ""),
        ("registry.example.com/a/b/c_d__e-f.g:T_1.x-y", "registry.example.com", "a/b/c_d__e-f.g", "T_1.x-y", ""),
        (f"registry.example.com/auth@{SHA}", "registry.example.com", "auth", "", SHA),
        (f"registry.example.com/auth:1@{SHA}", "registry.example.com", "auth", "1", SHA),
        ("REGISTRY/auth", "REGISTRY", "auth", "", ""),
    ],
)  # fmt: skip
def test_name_is_taken_apart(text: str, host: str, path: str, tag: str, digest: str) -> None:
    assert references.parse(text) == references.Reference(host, path, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "@", "a:", "a@", "a:b:c/", "UPPER", "a/UPPER", "a//b", "/a", "a/", "a b", "a:b c", "a:-x",
        f"a@{SHA}0", "a@sha256:xyz", "a@md5:" + "0" * 32, "a__ _b", "-a.example/b", "a.example:port/b", "a" * 256,
        "a.b/" + "x/" * 200 + "x", "https://a.example/b", "a.example/b?x=1", "a.example/../b", "a\n", "a.example/한글",
        "user:pw@registry.example.com/a", "registry.example.com:0/a", "registry.example.com:65536/a",
        "[::g]/a", "[1:2]/a",
    ],
)  # fmt: skip
def test_what_no_tool_takes_is_wrong_use(text: str) -> None:
    with pytest.raises(errors.WrongUse):
        references.parse(text)


NAMES = st.from_regex(r"[a-z0-9]{1,6}(?:[._-][a-z0-9]{1,4}){0,2}", fullmatch=True)


@given(
    st.sampled_from(["docker.io", "localhost:5000", "r.example.com", "[::1]:1"]),
    st.lists(NAMES, min_size=2, max_size=3).map("/".join),
    st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.sampled_from(["", SHA]),
)
def test_name_comes_back_as_it_was(host: str, path: str, tag: str, digest: str) -> None:
    reference = references.Reference(host, path, tag, digest)
    assert references.parse(str(reference)) == reference


def test_hostile_name_is_refused_quickly() -> None:
    with pytest.raises(errors.WrongUse):
        references.parse("a" + "-" * 200_000 + "!")
