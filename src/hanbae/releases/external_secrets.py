"""What an ExternalSecret says of the Secret that the External Secrets operator makes of it; no value is in it.

Written for objects of any shape, rendered or as a cluster has them: what the API server would refuse is another check's
finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import patterns

KIND: Final = "ExternalSecret"
GROUP: Final = "external-secrets.io"
STORE: Final = "SecretStore"
"""The kind of a store where a reference names none."""
_ONCE: Final = frozenset({"CreatedOnce", "OnChange"})
# An interval of 0, in whatever unit Go writes it: the value is fetched once and never again.
_NEVER: Final = patterns.lazy(r"0+(?:ns|us|µs|ms|s|m|h)?")

State = Literal["Synced", "NotSynced", "Pending"]


class Reference(Struct, frozen=True):
    """Where the value of a key is.

    Attributes:
        key: The key of the Secret.
        store: Kind and name of the store: ``ClusterSecretStore/shop``.
        remote: The entry of the store.
        property: The part of the entry; empty for all of it.
        version: The version that is asked for; empty for the newest.
    """

    key: str
    store: str
    remote: str
    property: str = ""
    version: str = ""

    def __str__(self) -> str:
        """On one line: ``ClusterSecretStore/shop: shop/production/auth#JWT_SECRET``."""
        part = f"#{self.property}" if self.property else ""
        version = f"@{self.version}" if self.version else ""
        return f"{self.store}: {self.remote}{part}{version}"


def secret(content: Mapping[str, Any]) -> str:
    """The name of the Secret."""
    name = _below(content, "spec", "target").get("name")
    return name if isinstance(name, str) and name else str(_below(content, "metadata").get("name"))


def policy(content: Mapping[str, Any]) -> str:
    """What becomes of the Secret: ``Owner``, ``Orphan``, ``Merge`` (into one that is there) or ``None``."""
    return str(_below(content, "spec", "target").get("creationPolicy") or "Owner")


def keys(content: Mapping[str, Any]) -> frozenset[str] | None:
    """The keys that the Secret gets; None where only the store knows them."""
    spec = _below(content, "spec")
    template = _below(spec, "target", "template")
    # A template in a ConfigMap or Secret may make any keys.
    if template.get("templateFrom"):
        return None
    written = template.get("data")
    own = frozenset(map(str, written)) if isinstance(written, Mapping) else frozenset()
    # The operator replaces what it has fetched by the template's data, unless it is told to merge.
    if own and template.get("mergePolicy") != "Merge":
        return own
    if spec.get("dataFrom"):
        return None
    return own | {reference.key for reference in references(content)}


def references(content: Mapping[str, Any]) -> tuple[Reference, ...]:
    """Where the values of ``spec.data`` are."""
    return tuple(_references(_below(content, "spec")))


def _references(spec: Mapping[str, Any]) -> Iterator[Reference]:
    default = _store(spec.get("secretStoreRef"))
    entries = spec.get("data")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping):
            continue
        remote = _below(entry, "remoteRef")
        own = _below(entry, "sourceRef").get("storeRef")
        yield Reference(
            str(entry.get("secretKey")),
            _store(own) or default,
            str(remote.get("key") or ""),
            str(remote.get("property") or ""),
            str(remote.get("version") or ""),
        )


def stores(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The stores that it reads, as :attr:`Reference.store` has them."""
    spec = _below(content, "spec")
    every = [_store(spec.get("secretStoreRef"))]
    every += [reference.store for reference in references(content)]
    entries = spec.get("dataFrom")
    every += [
        _store(_below(entry, "sourceRef").get("storeRef"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping)
    ]
    return tuple(dict.fromkeys(filter(None, every)))


def refers_alike(live: Mapping[str, Any], written: Mapping[str, Any]) -> bool:
    """Whether two ExternalSecrets bring the same from the same place, whatever else the API server has filled in."""
    return (
        set(references(live)) == set(references(written))
        and secret(live) == secret(written)
        and keys(live) == keys(written)
        and stores(live) == stores(written)
    )


def follows_store(content: Mapping[str, Any]) -> bool:
    """Whether a new value in the store comes into the Secret without a change of the ExternalSecret."""
    spec = _below(content, "spec")
    interval = str(spec.get("refreshInterval", "1h"))
    return spec.get("refreshPolicy") not in _ONCE and not _NEVER.fullmatch(interval)


def state(live: Mapping[str, Any]) -> tuple[State, str, str]:
    """What has become of an ExternalSecret in a cluster: its state, and the reason and message of its condition.

    The operator notes the generation that it has made a Secret of in front of ``syncedResourceVersion``.
    """
    status = _below(live, "status")
    conditions = status.get("conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if not isinstance(condition, Mapping) or condition.get("type") != "Ready":
            continue
        reason, message = str(condition.get("reason") or ""), str(condition.get("message") or "")
        # A deletionPolicy takes the Secret away with what the store had, and calls that ready.
        if condition.get("status") == "False" or reason == "SecretDeleted":
            return "NotSynced", reason, message
        generation = _below(live, "metadata").get("generation")
        synced = str(status.get("syncedResourceVersion") or "").partition("-")[0]
        if condition.get("status") == "True" and synced == str(generation):
            return "Synced", reason, message
    # A condition of an older generation says nothing about what has just been applied.
    return "Pending", "", ""


def _store(reference: Any) -> str:
    """A reference of a store on one line; empty where there is none."""
    if not isinstance(reference, Mapping) or not reference.get("name"):
        return ""
    return f"{reference.get('kind') or STORE}/{reference['name']}"


def _below(content: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The mapping at a path, or an empty one."""
    current: Any = content
    for part in path:
        current = current.get(part) if isinstance(current, Mapping) else None
    return current if isinstance(current, Mapping) else {}
