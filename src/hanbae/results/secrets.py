"""What is known of the sealed values of a service, without any key to open them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from hanbae import subjects, wording

Due = Literal["age", "leaked", "departed"]
"""Why a value is to be another one: it is older than the policy allows, lies in git for a key that has leaked, or is
known to somebody who has left."""


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
        added: Those of `keys` that the file did not have before.
        replaced: Those of `keys` that it had.
        removed: Keys that were taken out.
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
    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Unread(Struct, frozen=True):
    """A file that cannot be read, or a chart that does not render: what is sealed there is not among the rest.

    Attributes:
        place: Where the fault is, if it is in a file.
        text: What it is.
    """

    place: subjects.Place | None
    text: wording.Text


class SealedKey(Struct, frozen=True):
    """One key of a service's Secret in one environment.

    Attributes:
        service: The service.
        environment: The environment.
        key: The key.
        state: ``sealed``; ``opened``, by the environment's controller; ``refused`` by it;
            ``malformed``, which cannot be a sealed value; ``made`` by another object; ``fetched`` from a store by the
            environment's operator, which ``refused`` is said of as well; ``missing``, though it is needed.
        needed_by: Why it is expected: ``migration`` (a database's URL), ``environments`` (others have it), ``pods``
            (they read it), or neither.
        bits: Size of the RSA key that it was sealed with; 0 if it is not sealed.
        certificate: Fingerprint of the certificate that it was sealed with, as the values file remembers it.
        place: Where it stands, or should.
        fault: Why it is malformed, or refused.
        source: Where that certificate came from when it was first used, as the values file remembers it.
        secret: Name of the Secret; empty for the service's own.
        read_by: What has the pods that read it: ``Deployment/auth``.
        maker: What makes the Secret: ``ExternalSecret auth``; empty for nothing here, and for the service's own.
        namespace: The Secret's namespace, which a sealed value is bound to unless it is cluster-wide.
        scope: How a sealed value is bound; empty for what is not sealed in values.
        reference: Where the value is, for one that is in a store: ``ClusterSecretStore/shop: shop/auth#JWT_SECRET``.
    """

    service: str
    environment: str
    key: str
    state: Literal["sealed", "opened", "refused", "malformed", "made", "fetched", "missing"]
    needed_by: Literal["", "migration", "environments", "pods"] = ""
    bits: int = 0
    place: subjects.Place | None = None
    fault: wording.Text | None = None
    certificate: str = ""
    source: str = ""
    secret: str = ""
    read_by: tuple[str, ...] = ()
    maker: str = ""
    namespace: str = ""
    scope: str = ""
    reference: str = ""


class Resealed(Struct, frozen=True):
    """Values of a file that were sealed anew, for another certificate or with other random numbers.

    Attributes:
        service: The service.
        environment: The environment.
        file: The file, relative to the repository.
        keys: The keys whose values were sealed anew.
        secret: ``namespace/name`` of the Secret that the values are bound to.
        certificate: Fingerprint of the certificate that they are sealed with now.
        former: Fingerprints of the certificates that they were sealed with, as the file remembered them.
    """

    service: str
    environment: str
    file: str
    keys: tuple[str, ...]
    secret: str
    certificate: str
    former: tuple[str, ...] = ()


class DatedKey(Struct, frozen=True):
    """A sealed value with its past, as git tells it.

    Attributes:
        service: The service.
        environment: The environment.
        key: The key.
        since: When the value was sealed first; when it was sealed anew for another certificate does not count.
        commit: The commit that brought it in; empty where it is not committed.
        author: Address of who committed it, and so may know it.
        certificate: Fingerprint of the certificate that it is sealed with now.
        certificates: Fingerprints of all certificates for which it lies in git.
        former: Addresses of who committed the values before it.
        days: Its age.
        max_age: The age that the policy allows; empty for any.
        due: Why it is to be another one; empty where it need not be.
    """

    service: str
    environment: str
    key: str
    since: datetime
    commit: str
    author: str
    certificate: str
    certificates: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    days: int = 0
    max_age: str = ""
    due: tuple[Due, ...] = ()


class BackedUpKey(Struct, frozen=True):
    """Whether a backup of the controller's keys opens a sealed value.

    Attributes:
        service: The service.
        environment: The environment.
        key: The key.
        opened: Whether it does.
        certificate: Fingerprint of the certificate of the key that opens it; of what the file remembers, where none
            does.
        revision: The branch that has this value, where it is not that of the files as they are checked out.
        file: Where it stands.
    """

    service: str
    environment: str
    key: str
    opened: bool
    certificate: str = ""
    revision: str = ""
    file: str = ""


class BackedUp(Struct, frozen=True):
    """What a backup of the controller's keys is worth.

    Attributes:
        keys: Fingerprints of the certificates in it, the newest first.
        values: Each sealed value.
        unknown: Fingerprints that files remember and that are not in the backup.
        unread: What could not be read, so that nothing of it was tried.
    """

    keys: tuple[str, ...]
    values: tuple[BackedUpKey, ...]
    unknown: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
