"""What a container has mounted, as volumes of Compose.

Nothing of the developer's machine is mounted but files below ``.hanbae/local`` that hanbae has written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import patterns, wording
from hanbae.local import limits
from hanbae.local.composition import FOLDER, File, SecretKey
from hanbae.releases import variables

# These names, which a chart chooses, become parts of paths below .hanbae/local: no dots alone and
# no slash may lead out of it.
_NAME: Final = patterns.lazy(r"(?!\.\.?$)[A-Za-z0-9._-]{1,253}")
_FOLDERS: Final = {"secret": "files/secrets", "configMap": "files/configmaps"}


class Mounted(Struct, frozen=True):
    """The mounts of a container.

    Attributes:
        entries: Entries of ``volumes`` in the long form.
        volumes: Names of the volumes among them.
        files: Files that must be there.
        keys: Keys of Secrets that are files.
        gaps: What is not mounted.
    """

    entries: tuple[dict[str, Any], ...] = ()
    volumes: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    keys: tuple[SecretKey, ...] = ()
    gaps: tuple[wording.Text, ...] = ()


class Volumes:
    """The volumes of a pod.

    Args:
        workload: Name of what makes the pod; volumes of its own begin with it.
        spec: The spec of its pods.
        claims: Names of its ``volumeClaimTemplates``.
        sources: The namespace's ConfigMaps, and the keys of its Secrets.
    """

    def __init__(
        self,
        workload: str,
        spec: Mapping[str, Any],
        claims: frozenset[str],
        sources: variables.Sources,
    ) -> None:
        self._workload, self._sources = workload, sources
        self._volumes: dict[str, Mapping[str, Any]] = {
            name: {"template": name} for name in sorted(claims)
        }
        self._volumes |= {str(entry.get("name")): entry for entry in _mappings(spec.get("volumes"))}
        mounting = [
            str(mount.get("name"))
            for key in ("initContainers", "containers")
            for container in _mappings(spec.get(key))
            for mount in _mappings(container.get("volumeMounts"))
        ]
        self._shared = {name for name in mounting if mounting.count(name) > 1}

    def of(self, container: Mapping[str, Any]) -> Mounted:
        """What a container mounts of them."""
        entries: list[dict[str, Any]] = []
        volumes: list[str] = []
        files: list[File] = []
        keys: list[SecretKey] = []
        gaps: list[wording.Text] = []
        for mount in _mappings(container.get("volumeMounts")):
            part = self._mount(mount)
            entries += part.entries
            volumes += part.volumes
            files += part.files
            keys += part.keys
            gaps += part.gaps
        return Mounted(tuple(entries), tuple(volumes), tuple(files), tuple(keys), tuple(gaps))

    def _mount(self, mount: Mapping[str, Any]) -> Mounted:
        name, target = str(mount.get("name")), str(mount.get("mountPath") or "")
        volume = self._volumes.get(name)
        if volume is None or not target.startswith("/"):
            return self._gap(name, "-")
        # Docker's containers cannot share a tmpfs: what several of them see becomes a volume.
        if "emptyDir" in volume and name not in self._shared:
            return Mounted((self._in_memory(volume, target),))
        claim = volume.get("persistentVolumeClaim")
        own = f"{self._workload}-{name}"
        if isinstance(claim, Mapping):
            own = str(claim.get("claimName"))
        if "emptyDir" in volume or "template" in volume or isinstance(claim, Mapping):
            if not _NAME.fullmatch(own):
                return self._gap(name, own)
            entry: dict[str, Any] = {"type": "volume", "source": own, "target": target}
            if mount.get("readOnly") is True:
                entry["read_only"] = True
            return Mounted((entry,), (own,))
        sources = [volume]
        projected = volume.get("projected")
        if isinstance(projected, Mapping):
            sources = list(_mappings(projected.get("sources")))
        parts = [self._of_source(name, source, mount, target) for source in sources]
        return Mounted(
            tuple(entry for part in parts for entry in part.entries),
            (),
            tuple(file for part in parts for file in part.files),
            tuple(key for part in parts for key in part.keys),
            tuple(gap for part in parts for gap in part.gaps),
        )

    def _of_source(
        self, name: str, source: Mapping[str, Any], mount: Mapping[str, Any], target: str
    ) -> Mounted:
        """A Secret or a ConfigMap as files; all else is said and left out."""
        for kind, folder in _FOLDERS.items():
            entry = source.get(kind)
            if not isinstance(entry, Mapping):
                continue
            object_name = str(entry.get("secretName") or entry.get("name") or "")
            if not _NAME.fullmatch(object_name):
                return self._gap(name, kind)
            return self._files(kind, f"{folder}/{object_name}", object_name, entry, mount, target)
        kinds = [key for key in source if key not in ("name", "defaultMode")]
        return self._gap(name, kinds[0] if kinds else "-")

    def _files(  # noqa: PLR0917  what is mounted, from where, to where
        self,
        kind: str,
        folder: str,
        name: str,
        entry: Mapping[str, Any],
        mount: Mapping[str, Any],
        target: str,
    ) -> Mounted:
        paths = dict(_items(entry)) or {key: key for key in self._keys(kind, name)}
        paths = {key: path for key, path in paths.items() if _NAME.fullmatch(key)}
        inside = str(mount.get("subPath") or "")
        if inside:
            paths = {key: path for key, path in paths.items() if path == inside}
            if not paths:
                return self._gap(str(mount.get("name")), inside)
            targets = dict.fromkeys(paths, target)
        elif _items(entry):
            targets = {key: posixpath.join(target, path) for key, path in paths.items()}
        else:
            targets = {"": target}
        entries = tuple(
            {
                "type": "bind",
                "source": f"./{FOLDER}/{folder}/{key}".rstrip("/"),
                "target": where,
                "read_only": True,
                # A folder that Docker made in its place would belong to root.
                "bind": {"create_host_path": False},
            }
            for key, where in targets.items()
        )
        # Where no key is known, the folder alone has to be there, since Docker does not make it.
        if kind == "secret":
            keys = tuple(SecretKey(name, key) for key in paths)
            files = tuple(File(f"{folder}/{key.key}", key=key) for key in keys)
            return Mounted(entries, (), files or (File(f"{folder}/"),), keys)
        data = self._sources.config_maps.get(name, {})
        files = tuple(
            File(f"{folder}/{key}", content=str(data[key])) for key in paths if key in data
        )
        return Mounted(entries, (), files or (File(f"{folder}/"),))

    def _keys(self, kind: str, name: str) -> list[str]:
        if kind == "secret":
            return sorted(self._sources.secrets.get(name) or ())
        return list(self._sources.config_maps.get(name, ()))

    @staticmethod
    def _in_memory(volume: Mapping[str, Any], target: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "tmpfs", "target": target}
        settings = volume.get("emptyDir")
        size = limits.memory(settings.get("sizeLimit")) if isinstance(settings, Mapping) else None
        if size is not None:
            entry["tmpfs"] = {"size": size}
        return entry

    @staticmethod
    def _gap(name: str, kind: str) -> Mounted:
        facts = {"volume": name, "kind": kind}
        return Mounted(gaps=(wording.Text("local.gap-volume", facts),))


def _items(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and path of what is picked; paths that lead out of the mount are left out, as the API server refuses them."""
    pairs = [
        (str(item.get("key")), str(item.get("path"))) for item in _mappings(entry.get("items"))
    ]
    return [
        (key, path)
        for key, path in pairs
        if not path.startswith("/") and ".." not in path.split("/")
    ]


def _mappings(entries: Any) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            yield entry
