"""TLS with an API server: whose certificate is believed, and which one is shown, as a kubeconfig says it.

Keys that stand in a kubeconfig as data go to OpenSSL through anonymous memory, never through a file on a disk.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2

from hanbae.clusters import kubeconfigs
from hanbae.streams import authorities

_MEMORY: Final = hasattr(os, "memfd_create")


def context(server: kubeconfigs.Server, user: kubeconfigs.User) -> ssl.SSLContext:
    """The settings for connections to a server as a user.

    Raises:
        ValueError: Data is not base64.
        ssl.SSLError: A certificate or a key cannot be used.
        OSError: A file cannot be read.
    """
    # Looked at even where it is not used: kubectl, too, refuses data that is not base64.
    for name, data in (
        ("client-certificate-data", user.client_certificate_data),
        ("client-key-data", user.client_key_data),
    ):
        decoded(name, data)
    if server.insecure_skip_tls_verify:
        result = httpx2.create_ssl_context(verify=False)
    elif server.certificate_authority_data:
        authority = decoded("certificate-authority-data", server.certificate_authority_data)
        # With an authority of the kubeconfig's own, those of the machine are not believed.
        result = ssl.create_default_context(cadata=authority.decode("ascii"))
    elif server.certificate_authority:
        result = ssl.create_default_context(cafile=server.certificate_authority)
    else:
        result = httpx2.create_ssl_context()
    if not server.insecure_skip_tls_verify:
        authorities.unstrict(result)
    if user.client_certificate or user.client_certificate_data:
        with (
            _file("client-certificate", user.client_certificate, user.client_certificate_data) as c,
            _file("client-key", user.client_key, user.client_key_data) as key,
        ):
            result.load_cert_chain(c, key)
    return result


def show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have connections that are made from now on show a certificate, PEM.

    Raises:
        ssl.SSLError: It cannot be used.
    """
    with _in_memory("certificate", certificate) as c, _in_memory("key", key) as k:
        context.load_cert_chain(c, k)


def decoded(name: str, data: str) -> bytes:
    """The data of a kubeconfig's key.

    Raises:
        ValueError: It is not base64.
    """
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name}: {error}") from None


@contextmanager
def _file(name: str, path: str, data: str) -> Iterator[str]:
    if not data:
        yield path
        return
    with _in_memory(name, decoded(f"{name}-data", data)) as memory:
        yield memory


@contextmanager
def _in_memory(name: str, content: bytes) -> Iterator[str]:
    """A path to memory that is gone with the scope; OpenSSL loads keys from paths only."""
    if not _MEMORY:
        raise OSError(f"{name}: memfd_create")
    descriptor = os.memfd_create(name)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        # Opened by this path, it is read from its beginning, wherever our own descriptor is.
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
