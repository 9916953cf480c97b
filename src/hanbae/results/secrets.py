"""What is known of the sealed values of a service, without any key to open them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import subjects, wording


class Sealed(Struct, frozen=True):
    """Values that were sealed and written.

    Attributes:
        service: The service.
        environment: The environment.
        file: The values file, relative to the repository.
        keys: The keys that were written, in the order in which they were given.
        secret: ``namespace/name`` of the Secret that the values are bound to.
        scope: How they are bound to it.
        certificate: Fingerprint of the certificate that they were sealed with.
        renewed: Whether that is another one than was remembered in the file before.
        source: Where the certificate came from: a file, or the controller and the cluster that it was asked of.
        first_use: Whether none was remembered, so that this one was taken on trust.
        outdated: Keys of the file that stay sealed for another certificate.
    """

    service: str
    environment: str
    file: str
    keys: tuple[str, ...]
    secret: str
    scope: str
    certificate: str
    renewed: bool = False
    source: str = ""
    first_use: bool = False
    outdated: tuple[str, ...] = ()


class SealedKey(Struct, frozen=True):
    """One key of a service's Secret in one environment.

    Attributes:
        service: The service.
        environment: The environment.
        key: The key.
        state: ``sealed``; ``malformed``, which cannot be a sealed value; ``made`` by another object;
            ``missing``, though it is needed.
        needed_by: Why it is expected: ``migration`` (a database's URL), ``environments`` (others have it), ``pods``
            (they read it), or neither.
        bits: Size of the RSA key that it was sealed with; 0 if it is not sealed.
        certificate: Fingerprint of the certificate that it was sealed with, as the values file remembers it.
        place: Where it stands, or should.
        fault: Why it is malformed.
        source: Where that certificate came from when it was first used, as the values file remembers it.
        secret: Name of the Secret; empty for the service's own.
        read_by: What has the pods that read it: ``Deployment/auth``.
        maker: What makes the Secret: ``ExternalSecret auth``; empty for nothing here, and for the service's own.
    """

    service: str
    environment: str
    key: str
    state: Literal["sealed", "malformed", "made", "missing"]
    needed_by: Literal["", "migration", "environments", "pods"] = ""
    bits: int = 0
    place: subjects.Place | None = None
    fault: wording.Text | None = None
    certificate: str = ""
    source: str = ""
    secret: str = ""
    read_by: tuple[str, ...] = ()
    maker: str = ""
