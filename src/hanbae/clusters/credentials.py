"""Who hanbae is to an API server: lightkube's authentication with its failures translated.

A credential plugin can be missing, fail or answer nonsense; that is an expected failure of the user's environment, and
it must neither be taken for a bug nor leave this package as somebody else's exception.
Client keys that stand in a kubeconfig as data go to OpenSSL through anonymous memory, never through a file on a disk.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2
from lightkube.core import exceptions

from hanbae import errors
from hanbae.clusters import answers

_DATA: Final = {
    "client-certificate-data": "client-certificate",
    "client-key-data": "client-key",
}


class Credentials(httpx2.Auth):
    """Signs requests as lightkube does, one at a time.

    Args:
        inner: lightkube's authentication for the context.
        context: The context's name, for the error.

    One at a time, because a deployment opens a dozen watches at once and each would start the plugin.
    """

    def __init__(self, inner: httpx2.Auth, context: str) -> None:
        self._inner = inner
        self._context = context
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """See :class:`httpx2.Auth`.

        Raises:
            hanbae.errors.Unreachable: The plugin or the token file gives no credentials.
        """
        flow = self._inner.async_auth_flow(request)
        try:
            signed = await self._step(flow, None)
            while signed is not None:
                response = yield signed
                signed = await self._step(flow, response)
        finally:
            await flow.aclose()

    async def _step(
        self,
        flow: AsyncGenerator[httpx2.Request, httpx2.Response],
        response: httpx2.Response | None,
    ) -> httpx2.Request | None:
        try:
            async with self._lock:
                if response is None:
                    return await anext(flow)
                return await flow.asend(response)
        except StopAsyncIteration:
            return None
        except (exceptions.ConfigError, OSError, ValueError, LookupError, TypeError) as error:
            why = answers.bounded(str(error)) or type(error).__name__
            raise errors.Unreachable(
                "cluster.no-credentials", context=self._context, why=why
            ) from None


@contextmanager
def keys_in_memory(user: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The kubeconfig's user with its key and certificate data as paths to anonymous memory, while it lasts.

    OpenSSL loads client keys from files only; on a machine without ``memfd_create`` the data stays, and lightkube
    makes a temporary file that only the user can read.

    Raises:
        ValueError: The data is not base64.
    """
    descriptors: list[int] = []
    replaced = dict(user)
    try:
        for data, path in _DATA.items():
            if not user.get(data) or not hasattr(os, "memfd_create"):
                continue
            try:
                content = base64.b64decode(user[data], validate=True)
            except binascii.Error as error:
                raise ValueError(f"{data}: {error}") from None
            descriptor = os.memfd_create(path)
            descriptors.append(descriptor)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
            del replaced[data]
            replaced[path] = f"/proc/self/fd/{descriptor}"
        yield replaced
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
