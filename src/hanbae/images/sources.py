"""Where images are asked for: the registry that a reference names, or a mirror that the policy names for it.

The policy is part of a checkout, which anybody may have written: it may say where to ask, and that plain HTTP is
spoken there, but not that a password travels in the clear. Each host is asked with the credentials that are filed under
exactly that host, a mirror with its own or with none; and over plain HTTP with none at all, unless the user has allowed
it, by a flag of the command or by naming the host in the environment variable `VARIABLE`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from hanbae import errors
from hanbae.images import contents, credentials, references, registry
from hanbae.policy import documents

VARIABLE: Final = "HANBAE_PLAIN_REGISTRIES"
"""The user's word for registries that may be sent their password over plain HTTP: ``registry.internal:5000,…``."""

Answer = TypeVar("Answer")
Asking = Callable[[references.Reference, credentials.Credentials | None, bool], Awaitable[Answer]]


@dataclass(frozen=True)
class Endpoint:
    """One host that may have an image.

    Attributes:
        reference: The image as this host names it.
        plain: Whether plain HTTP is spoken there.
        with_login: Whether the credentials that are filed under the host are sent.
    """

    reference: references.Reference
    plain: bool
    with_login: bool

    @property
    def host(self) -> str:
        """The host with its port."""
        return self.reference.host


@dataclass(frozen=True)
class Sources:
    """How registries are asked.

    Attributes:
        registries: What the policy says of registries.
        insecure: The user's flag: plain HTTP for the registry that a reference names, password included. Mirrors are
            not meant by it.
        allowed: Hosts that the user lets have their password over plain HTTP.
    """

    registries: Mapping[str, documents.Registry] = field(default_factory=dict)
    insecure: bool = False
    allowed: frozenset[str] = frozenset()

    def endpoints(self, reference: references.Reference) -> tuple[Endpoint, ...]:
        """The hosts that are asked, in their order: the mirrors, then the registry itself."""
        return (*self._mirrors(reference), self._endpoint(reference, insecure=self.insecure))

    async def digest(
        self, reference: references.Reference, login: credentials.Credentials | None = None
    ) -> str | None:
        """The digest that a tag stands for now; None if the registry does not have the image.

        Args:
            reference: The image.
            login: Credentials of its registry; by default those of ``docker login``.

        Raises:
            errors.Unreachable: Nobody answered sensibly; the registry's own error.
            errors.Forbidden: The registry does not let us read, or it wants a password that may not be sent.
        """

        async def ask(
            name: references.Reference, own: credentials.Credentials | None, plain: bool
        ) -> str | None:
            return await registry.digest(name, own, insecure=plain)

        return await self._first(reference, login, ask)

    async def platforms(self, reference: references.Reference) -> tuple[str, ...] | None:
        """The platforms that an image is for, such as ``linux/amd64``; None if the registry does not have it.

        Raises:
            errors.Error: As for :meth:`digest`.
        """

        async def ask(
            name: references.Reference, own: credentials.Credentials | None, plain: bool
        ) -> tuple[str, ...] | None:
            async with registry.connect(name.host, own, insecure=plain) as connected:
                return await connected.platforms(name)

        return await self._first(reference, None, ask)

    async def migrations_in(
        self,
        reference: references.Reference,
        folder: str,
        *,
        within: float,
        whole: bool = False,
    ) -> contents.Files | None:
        """The migrations in an image; see :func:`hanbae.images.contents.migrations_in`.

        Raises:
            errors.Error: As for :meth:`digest`.
        """

        async def ask(
            name: references.Reference, own: credentials.Credentials | None, plain: bool
        ) -> contents.Files | None:
            return await contents.migrations_in(
                name, folder, own, insecure=plain, within=within, whole=whole
            )

        return await self._first(reference, None, ask)

    async def _first(
        self,
        reference: references.Reference,
        login: credentials.Credentials | None,
        ask: Asking[Answer | None],
    ) -> Answer | None:
        """The first answer; a mirror that has none, or none for us, is passed over."""
        *mirrors, own = self.endpoints(reference)
        for mirror in mirrors:
            try:
                answer = await ask(mirror.reference, _login(mirror), mirror.plain)
            except errors.Error:
                continue
            if answer is not None:
                return answer
        own_login = login if login is not None and own.with_login else _login(own)
        try:
            return await ask(own.reference, own_login, own.plain)
        except errors.Forbidden:
            # Unless a login was held back, the registry's own words are the reason.
            if own.with_login or (login or credentials.of_docker(own.host)) is None:
                raise
            raise errors.Forbidden(
                "registry.plain-without-login", host=own.host, variable=VARIABLE
            ) from None

    def _mirrors(self, reference: references.Reference) -> Iterator[Endpoint]:
        for mirror in self._settings(reference.host).mirrors:
            host, _, folder = mirror.partition("/")
            path = f"{folder}/{reference.path}" if folder else reference.path
            yield self._endpoint(replace(reference, host=host, path=path))

    def _endpoint(self, reference: references.Reference, *, insecure: bool = False) -> Endpoint:
        host = reference.host
        plain = insecure or self._settings(host).plain_http or host.casefold() in self.allowed
        may = insecure or host.casefold() in self.allowed or registry.is_this_machine(host)
        return Endpoint(reference, plain, with_login=not plain or may)

    def _settings(self, host: str) -> documents.Registry:
        return self.registries.get(host.casefold(), documents.Registry())


def of(policy: documents.Policy, *, insecure: bool = False) -> Sources:
    """How registries are asked for the images of a policy.

    Args:
        policy: The policy.
        insecure: The user's flag; see :class:`Sources`.
    """
    words = os.environ.get(VARIABLE, "").split(",")
    allowed = frozenset(word.strip().casefold() for word in words if word.strip())
    registries = {host.casefold(): settings for host, settings in policy.registries.items()}
    return Sources(registries, insecure, allowed)


def _login(endpoint: Endpoint) -> credentials.Credentials | None:
    return credentials.of_docker(endpoint.host) if endpoint.with_login else None
