"""Why TLS failed, by OpenSSL's names for it."""

from __future__ import annotations

import ssl

import httpx2
import pytest

from hanbae.streams import handshakes


def exchange_error(reason: str | None) -> Exception:
    """What a client raises for an error of TLS, which lies at the bottom of a chain."""
    tls_error = ssl.SSLError()
    tls_error.reason = reason  # type: ignore[assignment]
    try:
        try:
            raise tls_error
        except ssl.SSLError as error:
            raise OSError("broken") from error
    except OSError as error:
        failed = httpx2.ConnectError("failed")
        failed.__cause__ = error
        return failed


@pytest.mark.parametrize(
    ("reason", "is_distrust"),
    [
        ("CERTIFICATE_VERIFY_FAILED", True),
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", True),
        ("UNEXPECTED_EOF_WHILE_READING", False),
        ("WRONG_VERSION_NUMBER", False),
        ("TLSV1_ALERT_PROTOCOL_VERSION", False),
        (None, False),
    ],
)
def test_distrust_is_told_from_what_no_certificate_would_cure(
    reason: str | None, is_distrust: bool
) -> None:
    assert handshakes.is_distrust(exchange_error(reason)) is is_distrust


def test_error_without_tls_is_no_distrust() -> None:
    assert not handshakes.is_distrust(httpx2.ConnectError("the ssl certificate is away"))
