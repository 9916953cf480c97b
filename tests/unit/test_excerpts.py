"""Foreign text is cut in one way."""

from __future__ import annotations

import pytest

from hanbae import errors, excerpts, masking
from hanbae.argocd_api import answers as argocd
from hanbae.clusters import answers as clusters


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("", 5, ""),
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("한국어입니다", 4, "한국어…"),
        ("two\nlines", 9, "two\nlines"),
    ],
)
def test_a_text_is_as_long_as_it_may_be(text: str, longest: int, expected: str) -> None:
    assert excerpts.clipped(text, longest) == expected


def test_a_sentence_becomes_one_line() -> None:
    assert excerpts.one_line(" one\n\ttwo  three ", 100) == "one two three"
    assert excerpts.one_line("a\nb " * 1000) == ("a b " * 150)[: excerpts.SENTENCE - 1] + "…"


def test_a_secret_on_the_edge_is_masked_before_the_text_is_cut() -> None:
    token = "tok3n-" * 5
    redact = masking.Redactor([masking.Masked(token.encode())])
    text = "x" * (excerpts.SENTENCE - 10) + " " + token
    assert "tok3n" not in excerpts.one_line(text, redact=redact)


@pytest.mark.parametrize("status", [200, 502])
def test_a_token_on_the_edge_of_a_page_that_argo_cd_did_not_write_is_masked(status: int) -> None:
    token = "tok3n-" * 5
    redact = masking.Redactor([masking.Masked(token.encode())])
    body = b"x" * (excerpts.SENTENCE - 10) + b" " + token.encode()
    call = argocd.Call("get", "auth", "services", "https://argocd.example.com")
    if status == 200:
        with pytest.raises(errors.Unreachable) as caught:
            argocd.decoded(body, call, redact)
        error: errors.Error = caught.value
    else:
        error = argocd.failure(status, body, call, redact)
    assert "tok3n" not in str(error)


@pytest.mark.parametrize("status", [200, 502])
def test_a_token_on_the_edge_of_a_page_that_no_api_server_wrote_is_masked(status: int) -> None:
    token = f"eyJhbGciOiJSUzI1NiJ9.{'e' * 40}.{'s' * 40}"
    body = b"x" * (excerpts.SENTENCE - 40) + b" " + token.encode()
    call = clusters.Call("get", "pods", "auth-dev", "", "dev", "https://cluster.example.com")
    if status == 200:
        with pytest.raises(errors.Unreachable) as caught:
            clusters.decoded(body, call)
        error: errors.Error = caught.value
    else:
        error = clusters.failure(status, body, call)
    assert "eyJhbGci" not in str(error)
