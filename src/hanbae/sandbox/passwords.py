"""The sandbox's passwords: made when it is made, different in every sandbox, kept in one file of mode 0600.

A sandbox is no toy in this: registry, PostgreSQL and Argo CD ask for them as real ones do, so that what works
here does not fail there for want of a login.
"""

from __future__ import annotations

import base64
import secrets
from typing import Final

import msgspec

from hanbae import errors, masking
from hanbae.sandbox import folders

#: Names of the passwords; the users they belong to.
REGISTRY: Final = "hanbae"
POSTGRES: Final = "postgres"
ARGOCD: Final = "admin"


class _Kept(msgspec.Struct, frozen=True):
    registry: str
    registry_hash: str
    postgres: str
    argocd: str
    argocd_hash: str
    argocd_signing: str


class Passwords:
    """The passwords of one sandbox.

    Args:
        record: As read from the file.
    """

    def __init__(self, record: _Kept) -> None:
        self.registry = masking.Masked(record.registry.encode())
        self.postgres = masking.Masked(record.postgres.encode())
        self.argocd = masking.Masked(record.argocd.encode())
        self.argocd_signing = masking.Masked(record.argocd_signing.encode())
        self.registry_hash = record.registry_hash
        self.argocd_hash = record.argocd_hash

    def redactor(self) -> masking.Redactor:
        """Takes these passwords out of logs that are shown."""
        return masking.Redactor([self.registry, self.postgres, self.argocd, self.argocd_signing])


def load(folder: folders.Folder) -> Passwords:
    """The sandbox's passwords, made and written down the first time."""
    try:
        record = msgspec.json.decode(folder.passwords.read_bytes(), type=_Kept)
    except FileNotFoundError:
        record = _generate()
        folders.write(folder.passwords, msgspec.json.encode(record))
    return Passwords(record)


def _generate() -> _Kept:
    # hexadecimal, so that they stand in URLs and connection strings as they are
    registry, postgres, argocd, signing = (secrets.token_hex(20) for _ in range(4))
    return _Kept(
        registry=registry,
        # The registry hashes on every request, so it gets a low cost; 160 random bits need no slow hash.
        registry_hash=_bcrypt(registry, 5),
        postgres=postgres,
        argocd=argocd,
        argocd_hash=_bcrypt(argocd, 10),
        argocd_signing=signing,
    )


def _bcrypt(password: str, cost: int) -> str:
    try:
        import bcrypt
    except ImportError as error:
        raise errors.Lacking("sandbox.needs-extra", module="bcrypt") from error
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(user: str, password: masking.Masked) -> str:
    """The value that HTTP basic authentication and Docker's configuration want."""
    return base64.b64encode(user.encode() + b":" + password.unmask()).decode()
