"""Speaks to one registry: digests, manifests, configurations, and pushing an image.

A registry is foreign: its answers are bounded and checked against their digests, its redirects are followed without
credentials, and plain HTTP is spoken only on this machine, or where the caller says so.
Rules: OCI distribution-spec 1.1.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from hanbae import errors, foreign_json, masking, patterns
from hanbae.images import credentials, layouts, references, transporting
from hanbae.streams import authorities, exchanges, handshakes

LARGEST_MANIFEST: Final = 4 * 1024 * 1024
LARGEST_CONFIG: Final = 8 * 1024 * 1024
MOST_TAGS: Final = 100_000
"""Tags of one repository; nightly builds of a century have fewer."""

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ACCEPT: Final = ", ".join(
    (*_INDEXES, layouts.MANIFEST_TYPE, "application/vnd.docker.distribution.manifest.v2+json")
)
_DIGEST: Final = patterns.lazy(r"sha256:[0-9a-f]{64}")
_TIMEOUT: Final = httpx2.Timeout(60, connect=10)
_HUB_SERVER: Final = "registry-1.docker.io"
_NOT_FOUND: Final = 404
_DENIED: Final = (401, 403)


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index, as the registry keeps it.

    Attributes:
        body: Its bytes.
        digest: The digest of exactly these bytes.
        media_type: What it is.
    """

    body: bytes
    digest: str
    media_type: str

    def content(self) -> dict[str, Any]:
        """The JSON document."""
        return foreign_json.mapping(self.body)


async def digest(
    reference: references.Reference,
    login: credentials.Credentials | None = None,
    *,
    insecure: bool = False,
) -> str | None:
    """The digest that a tag stands for now; None if the registry does not have the image.

    Args:
        reference: The image.
        login: Credentials of its registry.
        insecure: Speak plain HTTP.

    Raises:
        errors.Unreachable: The registry did not answer, or not sensibly.
        errors.Forbidden: It does not let us read the repository; some say so of what does not exist, too.
    """
    async with connect(reference.host, login, insecure=insecure) as registry:
        return await registry.digest(reference)


async def push(
    image: layouts.Image,
    reference: references.Reference,
    login: credentials.Credentials | None = None,
    *,
    insecure: bool = False,
) -> str:
    """Upload an image; what the registry has already is not sent again.

    Args:
        image: The image.
        reference: Where to, with or without a tag.
        login: Credentials of the registry.
        insecure: Speak plain HTTP.

    Returns:
        The image's digest.

    Raises:
        errors.Unreachable: The registry did not answer.
        errors.Forbidden: It does not let us write to the repository.
        errors.Failed: It refused the image; in its own words.
    """
    async with connect(reference.host, login, insecure=insecure) as registry:
        return await registry.push(image, reference)


@asynccontextmanager
async def connect(
    host: str, login: credentials.Credentials | None = None, *, insecure: bool = False
) -> AsyncIterator[Registry]:
    """A connection to a registry, for several requests.

    Args:
        host: The registry as references name it.
        login: Credentials filed under exactly this host.
        insecure: Speak plain HTTP. A registry on this machine may do without: there HTTPS is tried first.

    Raises:
        ValueError: The credentials are another host's.
    """
    if login is not None and login.host != host:
        message = f"credentials of {login.host} are not for {host}"
        raise ValueError(message)
    near = is_this_machine(host)
    server = _HUB_SERVER if host == references.HUB else host
    # A proxy would see the credentials of a plain connection, and reaches no address of this machine anyway.
    trusting = not (insecure or near)
    async with httpx2.AsyncClient(
        timeout=_TIMEOUT,
        follow_redirects=False,
        verify=authorities.unstrict(httpx2.create_ssl_context(trust_env=trusting)),
        trust_env=trusting,
        # Digests and sizes are those of the bytes that the registry keeps: nothing may pack them on the way.
        headers={"user-agent": "hanbae", "accept-encoding": "identity"},
        event_hooks={"request": [handshakes.look_after]},
    ) as client:
        origin = httpx2.URL(f"http{'' if insecure else 's'}://{server}")
        if near and not insecure and not await _answers(client, origin):
            origin = origin.copy_with(scheme="http")
        yield Registry(transporting.Transport(client, origin, login))


class Registry:
    """One registry, for as long as :func:`connect` keeps it."""

    def __init__(self, transport: transporting.Transport) -> None:
        self._transport = transport

    async def digest(self, reference: references.Reference) -> str | None:
        """As the module's :func:`digest`."""
        answer = await self._send(
            "HEAD", self._manifest_url(reference), _pull(reference), headers={"accept": _ACCEPT}
        )
        if answer.status_code == _NOT_FOUND:
            return None
        self._expect(answer, 200, path=reference.path)
        announced = answer.headers.get("docker-content-digest", "")
        if _DIGEST.fullmatch(announced):
            return str(announced)
        # Not every registry announces it.
        manifest = await self.manifest(reference)
        return manifest.digest if manifest else None

    async def manifest(self, reference: references.Reference) -> Manifest | None:
        """The manifest or index of an image; None if the registry does not have it.

        Raises:
            errors.Unreachable: The registry did not answer, or with something else than was asked for.
            errors.Forbidden: It does not let us read the repository.
        """
        answer = await self._send(
            "GET",
            self._manifest_url(reference),
            _pull(reference),
            headers={"accept": _ACCEPT},
            limit=LARGEST_MANIFEST,
        )
        if answer.status_code == _NOT_FOUND:
            return None
        self._expect(answer, 200, path=reference.path)
        # A reference may name the digest by another algorithm; for a tag it is the usual one.
        algorithm = reference.digest.partition(":")[0] or "sha256"
        digest = layouts.digest_of(answer.content, algorithm)
        if reference.digest and digest != reference.digest:
            raise self._transport.nonsense(reference.path)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Manifest(answer.content, digest, media_type)

    async def image_manifest(
        self, reference: references.Reference, *, architecture: str | None = None
    ) -> Manifest | None:
        """The manifest of an image for one platform.

        Args:
            reference: The image; of an index, the one for Linux on this architecture is taken.
            architecture: In the registries' spelling; by default this machine's.

        Returns:
            None if the registry does not have the image, or none for this platform.

        Raises:
            errors.Unreachable: As `manifest`.
            errors.Forbidden: As `manifest`.
        """
        manifest = await self.manifest(reference)
        if manifest is None or manifest.media_type not in _INDEXES:
            return manifest
        digest = _for_platform(manifest, architecture or layouts.architecture())
        return await self.manifest(reference.with_digest(digest)) if digest is not None else None

    async def platforms(self, reference: references.Reference) -> tuple[str, ...] | None:
        """The platforms that an image is for, such as ``linux/amd64``; None if the registry does not have it.

        Raises:
            errors.Unreachable: As `manifest`.
            errors.Forbidden: As `manifest`.
        """
        manifest = await self.manifest(reference)
        if manifest is None:
            return None
        if manifest.media_type in _INDEXES:
            entries = foreign_json.mappings(manifest.content().get("manifests"))
            listed = [foreign_json.below(entry, "platform") for entry in entries]
        else:
            listed = [await self.config(reference.with_digest(manifest.digest)) or {}]
        # What attests how an image was built is listed beside it, for no platform.
        names = (f"{entry.get('os')}/{entry.get('architecture')}" for entry in listed)
        return tuple(
            sorted({name for name in names if "unknown" not in name and "None" not in name})
        )

    @asynccontextmanager
    async def blob(
        self, reference: references.Reference, digest: str, size: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The content of a layer, as it comes.

        Args:
            reference: The image that it belongs to.
            digest: ``sha256:…``; what comes is checked against it.
            size: Bytes that the manifest says that it has.

        Raises:
            errors.Unreachable: The registry did not answer; also out of the iteration, at its end when what came is
                not what the digest says.
            errors.Forbidden: It does not let us read the repository.
        """
        if not _DIGEST.fullmatch(digest):
            raise self._transport.nonsense(reference.path)
        url = self._url(f"/v2/{reference.path}/blobs/{digest}")
        request = transporting.Request("GET", url, _pull(reference))
        async with self._transport.stream(request) as (answer, chunks):
            self._expect(answer, 200, path=reference.path)
            yield self._verified(chunks, reference.path, digest, size)

    async def _verified(
        self, chunks: AsyncIterator[bytes], path: str, digest: str, size: int
    ) -> AsyncIterator[bytes]:
        sha256, remaining = hashlib.sha256(), size
        async for chunk in chunks:
            remaining -= len(chunk)
            if remaining < 0:
                break
            sha256.update(chunk)
            yield chunk
        if remaining or f"sha256:{sha256.hexdigest()}" != digest:
            raise self._transport.nonsense(path)

    async def config(
        self, reference: references.Reference, *, architecture: str | None = None
    ) -> dict[str, Any] | None:
        """The configuration of an image: its labels, entrypoint and user are below ``config``.

        Args:
            reference: The image; of an index, the one for Linux on this architecture is taken.
            architecture: In the registries' spelling; by default this machine's.

        Returns:
            None if the registry does not have the image, or none for this platform.

        Raises:
            errors.Unreachable: As `manifest`.
            errors.Forbidden: As `manifest`.
        """
        manifest = await self.image_manifest(reference, architecture=architecture)
        if manifest is None:
            return None
        digest = str(foreign_json.below(manifest.content(), "config").get("digest") or "")
        if not _DIGEST.fullmatch(digest):
            raise self._transport.nonsense(reference.path)
        url = self._url(f"/v2/{reference.path}/blobs/{digest}")
        answer = await self._send("GET", url, _pull(reference), limit=LARGEST_CONFIG)
        self._expect(answer, 200, path=reference.path)
        if layouts.digest_of(answer.content) != digest:
            raise self._transport.nonsense(reference.path)
        return foreign_json.mapping(answer.content)

    async def tags(self, reference: references.Reference) -> list[str] | None:
        """The tags of a repository; None if the registry does not have it.

        Raises:
            errors.Unreachable: The registry did not answer, not sensibly, or with more than `MOST_TAGS`.
            errors.Forbidden: It does not let us read the repository.
        """
        tags: list[str] = []
        url: httpx2.URL | None = self._url(f"/v2/{reference.path}/tags/list")
        while url is not None:
            answer = await self._send("GET", url, _pull(reference))
            if answer.status_code == _NOT_FOUND:
                return None
            self._expect(answer, 200, path=reference.path)
            page = foreign_json.texts(foreign_json.mapping(answer.content).get("tags"))
            tags += page
            # An empty page ends the list, so that links without tags cannot lead on for ever.
            onward = answer.links.get("next", {}).get("url") if page else None
            url = (
                self._own_scheme(self._transport.onward(url, onward, reference.path))
                if onward
                else None
            )
            elsewhere = url is not None and url.netloc != self._transport.origin.netloc
            if elsewhere or len(tags) > MOST_TAGS:
                raise self._transport.nonsense(reference.path)
        return tags

    async def push(self, image: layouts.Image, reference: references.Reference) -> str:
        """As the module's :func:`push`."""
        scope = f"repository:{reference.path}:pull,push"
        # The manifest goes last: a registry refuses one whose blobs it does not have, and a tag
        # never names half an image.
        for blob, data in image.blobs():
            await self._upload(reference.path, blob, data, scope)
        url = self._url(f"/v2/{reference.path}/manifests/{reference.tag or image.digest}")
        headers = {"content-type": layouts.MANIFEST_TYPE}
        answer = await self._send("PUT", url, scope, headers=headers, content=image.manifest)
        self._expect(answer, 201, path=reference.path)
        return image.digest

    async def _upload(self, path: str, blob: str, data: bytes, scope: str) -> None:
        present = await self._send("HEAD", self._url(f"/v2/{path}/blobs/{blob}"), scope)
        if present.is_success:
            return
        begun = await self._send("POST", self._url(f"/v2/{path}/blobs/uploads/"), scope)
        self._expect(begun, 202, path=path)
        # The query of the location says which upload it is, and has to stay.
        where = self._location(begun, path).copy_merge_params({"digest": blob})
        headers = {"content-type": "application/octet-stream"}
        answer = await self._send("PUT", where, scope, headers=headers, content=data)
        self._expect(answer, 201, path=path)

    def _own_scheme(self, url: httpx2.URL) -> httpx2.URL:
        """An address that the registry has written, which behind a TLS proxy has the scheme from before it."""
        origin = self._transport.origin
        if url.host == origin.host and url.scheme != origin.scheme:
            return url.copy_with(scheme=origin.scheme, port=origin.port)
        return url

    def _location(self, answer: httpx2.Response, path: str) -> httpx2.URL:
        """Where an upload goes on: relative, absolute, or with the scheme from before a TLS proxy."""
        location = answer.headers.get("location")
        if not location:
            raise self._transport.nonsense(path)
        where = self._own_scheme(self._transport.onward(answer.request.url, location, path))
        # It may go on elsewhere, as in a store of blobs, but not in the clear.
        if where.scheme != "https" and where.netloc != self._transport.origin.netloc:
            raise self._transport.nonsense(path)
        return where

    async def _send(
        self,
        method: str,
        url: httpx2.URL,
        scope: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limit: int = LARGEST_MANIFEST,
    ) -> httpx2.Response:
        request = transporting.Request(method, url, scope, headers or {}, content, limit)
        return await self._transport.send(request)

    def _expect(self, answer: httpx2.Response, status: int, *, path: str) -> None:
        """Turn another status into an error with the registry's own words, masked and short."""
        if answer.status_code == status:
            return
        kind: type[errors.Error] = errors.Failed
        text_id = "registry.refused"
        if answer.status_code in _DENIED:
            kind, text_id = errors.Forbidden, "registry.forbidden"
        elif answer.request.method in ("GET", "HEAD") or answer.status_code in transporting.LATER:
            kind, text_id = errors.Unreachable, "registry.answered"
        raise kind(
            text_id,
            host=self._transport.host,
            repository=path or "-",
            status=str(answer.status_code),
            message=_message(answer),
        )

    def _manifest_url(self, reference: references.Reference) -> httpx2.URL:
        return self._url(f"/v2/{reference.path}/manifests/{reference.selector}")

    def _url(self, path: str) -> httpx2.URL:
        return self._transport.origin.copy_with(path=path)


def _pull(reference: references.Reference) -> str:
    return f"repository:{reference.path}:pull"


def _for_platform(index: Manifest, architecture: str) -> str | None:
    for entry in foreign_json.mappings(index.content().get("manifests")):
        platform = foreign_json.below(entry, "platform")
        if (platform.get("os"), platform.get("architecture")) == ("linux", architecture):
            digest = str(entry.get("digest", ""))
            return digest if _DIGEST.fullmatch(digest) else None
    return None


def _message(answer: httpx2.Response) -> str:
    faults = foreign_json.mappings(foreign_json.mapping(answer.content).get("errors"))
    words = "; ".join(f"{fault.get('code')}: {fault.get('message')}" for fault in faults)
    return masking.Redactor()(words or answer.reason_phrase)[:300] or "-"


def is_this_machine(host: str) -> bool:
    """Whether a registry is on this machine, so that what is sent to it cannot be read on the way."""
    name = httpx2.URL(f"//{host}").host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _answers(client: httpx2.AsyncClient, origin: httpx2.URL) -> bool:
    try:
        await client.get(origin.copy_with(path="/v2/"))
    except exchanges.ERRORS:
        return False
    return True
