"""The secrets of one clone's local environment: made up, or written by a developer; never in a file that git has.

Each Secret of the charts has a file of ``KEY="value"`` lines below ``.hanbae/local/secrets`` that a developer may edit.
What containers read is written anew from these at every start.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from hanbae import errors, files, masking, patterns, subjects
from hanbae.local import pods
from hanbae.local.components import USERS
from hanbae.local.composition import FOLDER, Address, Composition, SecretKey, Service
from hanbae.policy import boundaries
from hanbae.repository import trees, writing_files
from hanbae.sealing import envfiles

STORE: Final = f"{FOLDER}/secrets"
_SERVERS: Final = "local-servers"
"""What the passwords of the local servers are filed under, as if they were a Secret."""
_LARGEST: Final = 1024 * 1024
_BYTES: Final = 32
_KEY: Final = patterns.lazy(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
_HEADER: Final = """\
# Values of the local environment only, for the Secret {name}. Edit them as you like: hanbae adds what is missing
# and changes nothing. A KEY="value" that you add is given to every container that reads the whole Secret.
"""

Values = Mapping[SecretKey, masking.Masked]
Asking = Callable[[SecretKey], masking.Masked | None]
"""Asks a person for a value; None to have one made up."""


class Store:
    """The values of a clone.

    Args:
        root: The repository.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self) -> dict[SecretKey, masking.Masked]:
        """Every value that is there.

        Raises:
            hanbae.errors.FileFault: A file is no list of values, or a link leads elsewhere.
        """
        values: dict[SecretKey, masking.Masked] = {}
        folder = self._root / STORE
        self._refuse_odd(folder)
        for path in sorted(folder.glob("*.env")) if folder.is_dir() else ():
            place = f"{STORE}/{path.name}"
            data = files.ordinary(path, most=_LARGEST)
            if data is None:
                raise errors.FileFault("local.odd-file", place=subjects.Place(place))
            for key, value in envfiles.parse(data, place).items():
                values[SecretKey(path.name.removesuffix(".env"), key)] = value
        return values

    def complete(
        self, composition: Composition, asking: Asking | None = None
    ) -> tuple[dict[SecretKey, masking.Masked], tuple[SecretKey, ...]]:
        """Every value that the local environment needs; those that are missing are made and kept.

        Args:
            composition: The local environment.
            asking: Asks for what is neither an address nor in a chart; None to make it up.

        Returns:
            The values, and the keys whose values were made up and mean nothing to anybody else.

        Raises:
            hanbae.errors.FileFault: As :meth:`read`; or git has something in the folder.
        """
        self._refuse_tracked()
        values = self.read()
        made_up: list[SecretKey] = []
        new: dict[SecretKey, masking.Masked] = {}
        addresses = {entry.key: entry for entry in composition.addresses}
        for server in {entry.engine for entry in composition.addresses} | self._servers(
            composition
        ):
            key = SecretKey(_SERVERS, server)
            if server in USERS and key not in values:
                new[key] = _random()
        for key in composition.keys:
            if key in values or not _is_storable(key):
                continue
            if key in composition.rendered:
                value = masking.Masked(composition.rendered[key])
            elif key in addresses:
                value = _address(addresses[key], {**values, **new})
            else:
                value = (asking(key) if asking is not None else None) or _random()
                made_up.append(key)
            new[key] = value
        # On the disk before anything starts with them: PostgreSQL takes its password at its first start only.
        self._append(new)
        return values | new, tuple(made_up)

    def password(self, values: Values, server: str) -> masking.Masked | None:
        """The password of a local server."""
        return values.get(SecretKey(_SERVERS, server))

    def write(self, composition: Composition, values: Values) -> None:
        """Write what containers read: variables, and files that are mounted; what was there before goes.

        Raises:
            hanbae.errors.FileFault: A file cannot be written.
        """
        folder = self._root / FOLDER
        try:
            self._private(folder)
            for name in ("env", "files"):
                shutil.rmtree(folder / name, ignore_errors=True)  # nothing happens to a link
                self._private(folder / name)
            self._write_variables(composition, values)
            self._write_files(composition, values)
        except OSError as error:
            reason = files.reason(error)
            place = subjects.Place(FOLDER)
            raise errors.FileFault("placing.unwritable", place=place, reason=reason) from error

    def _write_variables(self, composition: Composition, values: Values) -> None:
        folder = self._root / FOLDER
        for server, variables in _SERVER_VARIABLES.items():
            password = self.password(values, server)
            if password is not None:
                lines = [_line(name, password.unmask()) for name in variables]
                files.replace(folder / "env" / f"{server}.env", b"".join(lines), mode=0o600)
            elif composition.service(server) is not None:
                # Compose starts nothing whose file of variables is missing, though nothing need be in it.
                files.replace(folder / "env" / f"{server}.env", b"", mode=0o600)
        for service in composition.services:
            if service.has_secrets:
                lines = [
                    _line(name, value) for name, value in variables_of(service, values).items()
                ]
                target = self._root / pods.env_file(service)
                files.replace(target, b"".join(lines), mode=0o600)

    def _write_files(self, composition: Composition, values: Values) -> None:
        """The files that are mounted: readable for whatever user a container has, in a folder that is the user's."""
        folder = self._root / FOLDER
        for file in composition.files:
            path = folder / file.path
            target = path if file.path.endswith("/") else path.parent
            target.mkdir(parents=True, exist_ok=True)
            target.chmod(0o755)
            if file.path.endswith("/"):
                continue
            content = (file.content or "").encode()
            if file.key is not None:
                content = values.get(file.key, masking.Masked(b"")).unmask()
            files.replace(path, content, mode=0o444)

    def _append(self, new: Values) -> None:
        """Add lines to the files; what a developer has written stays as it is."""
        by_name: dict[str, list[tuple[str, masking.Masked]]] = {}
        for key, value in new.items():
            by_name.setdefault(key.secret, []).append((key.key, value))
        for name, entries in by_name.items():
            path = self._root / STORE / f"{name}.env"
            try:
                self._private(self._root / FOLDER)
                self._private(self._root / STORE)
                present = files.ordinary(path, most=_LARGEST) or _HEADER.format(name=name).encode()
                if not present.endswith(b"\n"):
                    present += b"\n"
                lines = b"".join(_line(key, value.unmask()) for key, value in entries)
                # One that is there keeps its owner, who need not be root that runs Docker. It is a file: a link was
                # refused when it was read.
                files.replace(path, present + lines, mode=None if path.exists() else 0o600)
                path.chmod(0o600)
            except OSError as error:
                place = subjects.Place(f"{STORE}/{name}.env")
                reason = files.reason(error)
                raise errors.FileFault("placing.unwritable", place=place, reason=reason) from error

    def _private(self, folder: Path) -> None:
        self._refuse_odd(folder)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)

    def _refuse_odd(self, folder: Path) -> None:
        """Refuse a link on the way: a branch could have secrets written where others read them."""
        place = folder.relative_to(self._root).as_posix()
        if boundaries.inside(self._root.resolve(), folder) != self._root.resolve() / place:
            raise errors.FileFault("placing.outside", place=subjects.Place(place))
        if os.path.lexists(folder) and not stat.S_ISDIR(folder.lstat().st_mode):
            raise errors.FileFault("local.odd-file", place=subjects.Place(place))

    def _refuse_tracked(self) -> None:
        """See to it that git ignores the folder, and refuse one that it knows: the next commit would hold secrets."""
        writing_files.append_line(self._root, ".gitignore", f"/{FOLDER.partition('/')[0]}/")
        tracked = sorted(trees.WorkingTree(self._root).files(FOLDER))
        if tracked:
            raise errors.FileFault("local.tracked", place=subjects.Place(tracked[0]))

    @staticmethod
    def _servers(composition: Composition) -> set[str]:
        return {name for name in USERS if composition.service(name) is not None}


_SERVER_VARIABLES: Final = {
    "postgresql": ("POSTGRES_PASSWORD", "PGPASSWORD"),
    "clickhouse": ("CLICKHOUSE_PASSWORD",),
}


def variables_of(service: Service, values: Values) -> dict[str, bytes]:
    """The secret variables of a service, as the kubelet would give them."""
    result: dict[str, bytes] = {}
    for prefix, secret in service.whole:
        for key, value in values.items():
            name = f"{prefix}{key.key}"
            if key.secret == secret and name not in service.environment and _KEY.fullmatch(name):
                result[name] = value.unmask()
    for name, parts in service.secrets.items():
        texts = []
        for part in parts:
            if isinstance(part, SecretKey):
                texts.append(values.get(part, masking.Masked(b"")).unmask())
            else:
                texts.append(part.encode())
        result[name] = b"".join(texts)
    return result


def names(service: Service, values: Iterable[SecretKey]) -> frozenset[str]:
    """The names of a service's secret variables."""
    whole = {
        f"{prefix}{key.key}"
        for prefix, secret in service.whole
        for key in values
        if key.secret == secret
    }
    return frozenset(service.secrets) | frozenset(name for name in whole if _KEY.fullmatch(name))


def _line(name: str, value: bytes) -> bytes:
    r"""A line that Compose and hanbae read as this very value: neither interpolates what ``\`` stands before."""
    escaped = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"$", b"\\$")
    return name.encode() + b'="' + escaped.replace(b"\r", b"\\r") + b'"\n'


def _address(address: Address, values: Values) -> masking.Masked:
    password = values.get(SecretKey(_SERVERS, address.engine))
    secret = password.unmask().decode() if password is not None else ""
    urls = {
        "postgresql": f"postgresql://postgres:{secret}@postgresql:5432/{address.database}"
        "?sslmode=disable",
        "clickhouse": f"clickhouse://default:{secret}@clickhouse:9000/{address.database}",
        "valkey": "redis://valkey:6379/0",
    }
    return masking.Masked(urls[address.engine].encode())


def _random() -> masking.Masked:
    """43 letters, digits, ``-`` and ``_``: fit for a URL, a header and a file."""
    return masking.Masked(secrets.token_urlsafe(_BYTES).encode())


def _is_storable(key: SecretKey) -> bool:
    # The names come from a chart: one that is no plain file name could lead out of the folder.
    return bool(_KEY.fullmatch(key.key)) and pods.safe(key.secret) == key.secret
