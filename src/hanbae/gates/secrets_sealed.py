"""The secrets exist and are committed, sealed or as references to a store, and this cluster has what they stand for."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hanbae import errors, foreign_json, wording
from hanbae.clusters import kinds, reading, service_proxies
from hanbae.gates import image_pushed, targets, verdicts
from hanbae.planning import secret_reads
from hanbae.policy import naming
from hanbae.releases import external_secrets

_VERIFY: Final = "/v1/verify"
# What the controller answers: 409 where no key of it opens the values, 429 where it was asked too often.
_OPENED, _NOT_OPENED, _TOO_MANY = 200, 409, 429
_TRIES: Final = 4
_PAUSE: Final = 0.6
"""Seconds between two questions: the controller answers two a second, unless it is told otherwise."""


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether every key that pods need is made by the commit, and whether the cluster opens what is sealed."""
    keys, *opened = await asyncio.gather(
        committed(target),
        *(_opened(target, sealed) for sealed in _sealed(target)),
        *(_fetched(target, external) for external in _external(target)),
    )
    return verdicts.joined(keys, *opened)


async def committed(target: targets.Target) -> verdicts.Verdict:
    """Whether the keys of the service's own Secret that pods need are made by something."""
    own = naming.secret(target.policy, target.source.service, target.source.environment)
    by_secret = secret_reads.produced_keys(target.objects)
    keys_made = by_secret.get(own)
    needed = [read for read in secret_reads.of(target.objects) if read.secret == own]
    if own in by_secret and keys_made is None and needed:
        return verdicts.passed("gate.secret-of-store", secret=own)
    by_hand = keys_made is None and bool(needed)
    if by_hand:
        try:
            keys_made = await _in_cluster(target, own)
        except errors.Error as error:
            readers = ", ".join(dict.fromkeys(read.reader for read in needed))
            facts = target.facts | {"secret": own, "readers": readers}
            texts = image_pushed.unchecked("preflight.secret-unchecked", facts, error)
            return verdicts.Verdict(unseen=texts)
    absent = [
        read for read in needed if keys_made is not None and read.key and read.key not in keys_made
    ]
    if not absent and (keys_made or not needed):
        if not needed:
            return verdicts.passed("gate.no-secret", secret=own)
        text_id = "gate.secret-by-hand" if by_hand else "gate.secret-committed"
        return verdicts.passed(text_id, secret=own, keys=", ".join(sorted(keys_made or ())))
    keys = [read.key for read in absent] or [""]
    facts = target.facts | {
        "secret": own,
        "keys": ", ".join(filter(None, keys)) or "-",
        "arguments": shlex.join(filter(None, keys)) or "KEY",
        "readers": ", ".join(dict.fromkeys(read.reader for read in absent or needed)),
    }
    lacks_keys = bool(absent and keys_made)
    text_id = "preflight.secret-keys-missing" if lacks_keys else "preflight.secret-missing"
    if target.policy.secrets.are_external:
        text_id = "preflight.external-keys-missing" if lacks_keys else "preflight.external-missing"
    return verdicts.Verdict(reasons=(wording.Text(text_id, facts),))


async def _in_cluster(target: targets.Target, name: str) -> frozenset[str]:
    """The keys of a Secret that somebody has made by hand; none where it is not there.

    Raises:
        hanbae.errors.Error: The cluster does not say.
    """
    secret = await reading.get(target.workload, kinds.SECRET, target.source.namespace, name)
    if secret is None:
        return frozenset()
    owners = secret["metadata"].get("ownerReferences") or []
    if any(owner.get("kind") == "SealedSecret" for owner in owners):
        return frozenset()  # it goes with the SealedSecret that the commit no longer has
    return frozenset(secret.get("data") or {})


def _sealed(target: targets.Target) -> list[dict[str, Any]]:
    """The SealedSecrets of the commit that hold something, with their namespace."""
    return [
        manifest | {"metadata": {"namespace": target.source.namespace, **manifest["metadata"]}}
        for manifest in target.objects
        if manifest.get("kind") == kinds.SEALEDSECRET.kind
        and foreign_json.below(manifest, "spec", "encryptedData")
    ]


def _external(target: targets.Target) -> list[dict[str, Any]]:
    """The ExternalSecrets of the commit that make a Secret or add to one, with their namespace."""
    return [
        manifest | {"metadata": {"namespace": target.source.namespace, **manifest["metadata"]}}
        for manifest in target.objects
        if manifest.get("kind") == external_secrets.KIND
        and external_secrets.policy(manifest) != "None"
    ]


async def _fetched(target: targets.Target, external: Mapping[str, Any]) -> verdicts.Verdict:
    """Whether the operator has fetched what an ExternalSecret of the commit refers to."""
    metadata = external["metadata"]
    namespace, name = str(metadata["namespace"]), str(metadata["name"])
    stores = ", ".join(external_secrets.stores(external)) or "-"
    facts = target.facts | {"object": name, "namespace": namespace, "stores": stores}
    try:
        live = await reading.get(target.workload, kinds.EXTERNALSECRET, namespace, name)
    except errors.Error as error:
        texts = image_pushed.unchecked("gate.external-unseen", facts, error)
        return verdicts.Verdict(pending=texts)
    if live is None or not external_secrets.refers_alike(live, external):
        return verdicts.pending("gate.external-not-there", **facts)
    state, _, message = external_secrets.state(live)
    if state == "Synced":
        return verdicts.passed("gate.external-fetched", **facts)
    if state == "NotSynced":
        own = ("externalsecret", name, "-n", namespace)
        return verdicts.failed(
            "gate.external-not-fetched",
            **facts,
            message=message[:300] or "-",
            describe=target.workload.kubectl("describe", *own),
            # Each time another value, or nothing changes; the shell of whoever runs it knows one.
            annotate=f"{target.workload.kubectl('annotate', *own, '--overwrite')} force-sync=$RANDOM",
        )
    return verdicts.pending("gate.external-waits", **facts)


async def _opened(target: targets.Target, sealed: Mapping[str, Any]) -> verdicts.Verdict:
    """Whether the cluster opens a SealedSecret: it has done so, or its controller says that it can."""
    metadata = sealed["metadata"]
    namespace, name = str(metadata["namespace"]), str(metadata["name"])
    facts = target.facts | {"secret": name, "namespace": namespace}
    try:
        live = await reading.get(target.workload, kinds.SEALEDSECRET, namespace, name)
        if live is not None and is_opened(live, sealed):
            return verdicts.passed("gate.secret-opened", **facts)
        status = await _verified(target, sealed)
    except errors.Error as error:
        texts = image_pushed.unchecked("gate.secret-unverified", facts, error)
        return verdicts.Verdict(pending=texts)
    if status == _OPENED:
        return verdicts.passed("gate.secret-verified", **facts)
    if status == _NOT_OPENED:
        keys = shlex.join(sorted(foreign_json.below(sealed, "spec", "encryptedData")))
        return verdicts.failed("gate.secret-not-opened", **facts, arguments=keys)
    return verdicts.pending("gate.secret-unanswered", **facts, status=str(status))


def is_opened(live: Mapping[str, Any], sealed: Mapping[str, Any]) -> bool:
    """Whether the cluster has this very ciphertext, and has opened it.

    Args:
        live: The SealedSecret in the cluster.
        sealed: The SealedSecret of the commit.
    """
    status = foreign_json.below(dict(live), "status")
    generation = foreign_json.below(dict(live), "metadata").get("generation") or 0
    conditions = {
        condition.get("type"): condition.get("status")
        for condition in foreign_json.mappings(status.get("conditions"))
    }
    return (
        foreign_json.below(dict(live), "spec", "encryptedData")
        # With another ciphertext, what the cluster has opened says nothing about the commit's.
        == foreign_json.below(dict(sealed), "spec", "encryptedData")
        and conditions.get("Synced") == "True"
        # The controller has looked at this very object, and not only at the one before it.
        and foreign_json.number(status.get("observedGeneration"), 0) >= generation
    )


async def _verified(target: targets.Target, sealed: Mapping[str, Any]) -> int:
    """The status with which the controller answers whether it could open a SealedSecret; nothing is written.

    Raises:
        hanbae.errors.Error: It does not answer, or must not be asked.
    """
    namespace, _, service = target.policy.secrets.controller.partition("/")
    port = await reading.first_port(target.workload, namespace, service)
    content = msgspec.json.encode(sealed)
    status = _TOO_MANY
    try:
        async with asyncio.timeout(targets.ASKS_WITHIN):
            for attempt in range(_TRIES):
                if attempt:
                    await asyncio.sleep(_PAUSE * attempt)
                answer = await service_proxies.request(
                    target.workload, namespace, service, port, _VERIFY, content=content
                )
                status = answer.status
                if status != _TOO_MANY:
                    break
    except TimeoutError as error:
        facts = {"service": f"{namespace}/{service}", "path": _VERIFY}
        why = f"> {targets.ASKS_WITHIN:g} s"
        raise errors.Unreachable("cluster.service-silent", place=None, **facts, why=why) from error
    return status
