"""Takes over secrets that were made without hanbae: a SealedSecret of kubeseal, or a Secret that a cluster has.

Which key a foreign SealedSecret was sealed for, nothing in it says.
So its values are sealed anew when they are taken over, by the controller or with a backup of its keys, unless the user
has the certificate and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hanbae import confinement, errors, libyaml, subjects
from hanbae.actions import reseal
from hanbae.planning import sealed_files
from hanbae.policy import environments, loading, naming
from hanbae.repository import services
from hanbae.results import secrets
from hanbae.sealing import (
    backups,
    certificates,
    encrypting,
    manifest_lines,
    manifests,
    objects,
    secret_manifests,
)


class Foreign(Struct, frozen=True):
    """A SealedSecret that somebody else made.

    Attributes:
        file: What errors call its file.
        namespace: Its namespace; empty where it has none.
        name: Its name.
        scope: How its values are bound, as its annotations say.
        values: Key → sealed value.
        left_out: What else it says of the Secret, which is not taken over.
    """

    file: str
    namespace: str
    name: str
    scope: encrypting.Scope
    values: Mapping[str, str]
    left_out: tuple[str, ...] = ()

    @property
    def label(self) -> bytes:
        """What its values are bound to."""
        return encrypting.label(self.scope, self.namespace, self.name)


def parse(data: bytes, file: str) -> Foreign:
    """The one SealedSecret of a file.

    Args:
        data: YAML or JSON.
        file: What errors call it.

    Raises:
        errors.FileFault: It is not one SealedSecret, or a value in it can be none.
    """
    try:
        documents = [item for item in libyaml.load_strictly(data) if item is not None]
    except libyaml.Fault as fault:
        line = manifest_lines.of_fault(data, fault)
        place = subjects.Place(file, line, fault.column)
        if isinstance(fault, libyaml.Doubled):
            raise errors.FileFault("seal.doubled", place=place) from None
        # The parser's own words are dropped: they may quote the file, which may be a plain Secret
        # by mistake.
        raise errors.FileFault("import.not-a-sealed-secret", place=place) from None
    content: Any = documents[0] if len(documents) == 1 else None
    if not isinstance(content, dict) or content.get("kind") != objects.KIND:
        raise errors.FileFault("import.not-a-sealed-secret", place=subjects.Place(file))
    spec, metadata = content.get("spec"), content.get("metadata")
    values = spec.get("encryptedData") if isinstance(spec, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    if not isinstance(values, dict) or not values:
        raise errors.FileFault("import.no-values", place=subjects.Place(file))
    for key, value in values.items():
        _check_value(key, value, file, data)
    namespace, name = (str(metadata.get(field) or "") for field in ("namespace", "name"))
    scope = objects.scope(metadata.get("annotations"))
    if scope != "cluster-wide" and not (namespace and name):
        raise errors.FileFault("import.no-binding", place=subjects.Place(file))
    return Foreign(file, namespace, name, scope, values, tuple(_left_out(spec)))


def _left_out(spec: Any) -> Iterator[str]:
    """Fields of a SealedSecret that say more of the Secret than its sealed values, as the chart does not say it."""
    template = spec.get("template")
    template = template if isinstance(template, dict) else {}
    kind = template.get("type")
    if kind not in (None, "", "Opaque"):
        yield f"spec.template.type: {str(kind)[:80]}"
    yield from (f"spec.template.{field}" for field in ("data", "immutable") if template.get(field))
    if spec.get("data"):
        yield "spec.data"


def chosen(foreign: Foreign, keys: Sequence[str]) -> Foreign:
    """A SealedSecret with only some of its values; with all of them if no key is named.

    Raises:
        errors.WrongUse: It does not have one of the keys.
    """
    missing = [key for key in keys if key not in foreign.values]
    if missing:
        raise errors.WrongUse("seal.keys-missing", keys=" ".join(missing))
    values = {key: foreign.values[key] for key in keys or foreign.values}
    return msgspec.structs.replace(foreign, values=values)


def _check_value(key: Any, value: Any, file: str, data: bytes) -> None:
    try:
        manifests.shape(value if isinstance(value, str) else "")
        is_key = isinstance(key, str) and manifests.is_key(key)
    except errors.WrongUse:
        is_key = False
    if not is_key:
        place = subjects.Place(file, manifest_lines.line(data, ("spec", "encryptedData", str(key))))
        raise errors.FileFault("import.malformed", place=place, key=str(key)[:80])


async def by_controller(
    directory: Path,
    service: str,
    environment: str,
    foreign: Foreign,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
    accept_certificate: bool = False,
    unverified_cluster: bool = False,
    per_second: float = 2.0,
) -> tuple[secrets.Resealed, ...]:
    """Take over sealed values, which the environment's controller opens and seals anew.

    Args:
        directory: The repository or a folder in it.
        service: The service.
        environment: The environment.
        foreign: The SealedSecret.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        accept_certificate: Take a certificate that differs from the remembered one.
        unverified_cluster: Ask over a connection on which anybody may answer.
        per_second: Requests to one page of the controller in a second.

    Raises:
        errors.WrongUse: An unknown service or environment; the values are bound to another Secret.
        errors.Failed: The controller cannot open them.
        errors.Error: As :func:`hanbae.actions.reseal.by_controller`.
    """
    from hanbae.clusters import sealing_controllers

    loaded, target = _target(directory, service, environment)
    # Before the controller is asked: it would only say that it does not open the values, and not
    # why.
    _check_binding(loaded, target, foreign)
    async with sealing_controllers.reached(
        loaded.policy,
        environment,
        context=context,
        kubeconfig=kubeconfig,
        unverified=unverified_cluster,
        per_second=per_second,
    ) as controller:
        certificate = certificates.parse(await controller.certificate(), controller.source)
        reseal.check_certificate(loaded, target, certificate, accept=accept_certificate)
        stale = reseal.Stale(target, foreign.values)
        anew = await reseal.asked_for(loaded, controller, stale, certificate)
    return reseal.write(loaded, [stale], [anew], certificate, controller.source)


def by_backup(
    directory: Path,
    service: str,
    environment: str,
    foreign: Foreign,
    keys: Sequence[backups.Key],
    *,
    source: str,
    accept_certificate: bool = False,
) -> tuple[secrets.Resealed, ...]:
    """Take over sealed values with a backup of the controller's keys; whatever Secret they were bound to.

    Args:
        directory: The repository or a folder in it.
        service: The service.
        environment: The environment.
        foreign: The SealedSecret.
        keys: The keys, the newest first; its certificate is sealed for.
        source: Where they are from.
        accept_certificate: Take a certificate that differs from the remembered one.

    Raises:
        errors.WrongUse: An unknown service or environment; the newest key has no certificate.
        errors.Failed: None of the keys opens a value.
        errors.Error: As :func:`hanbae.actions.reseal.by_backup`.
    """
    # The keys, and soon the values, are in memory in plain text: a core dump would put them on the
    # disk.
    confinement.forbid_core_dumps()
    loaded, target = _target(directory, service, environment)
    certificate = keys[0].certificate
    if certificate is None:
        raise errors.WrongUse("backup.no-certificate", source=source)
    reseal.check_certificate(loaded, target, certificate, accept=accept_certificate)
    stale = reseal.Stale(target, foreign.values)
    # The label that the values were sealed with opens them; what is written is bound to the
    # service's own Secret.
    anew = reseal.recrypted(loaded, keys, stale, certificate, former=foreign.label)
    return reseal.write(loaded, [stale], [anew], certificate, source)


def as_it_is(
    directory: Path,
    service: str,
    environment: str,
    foreign: Foreign,
    certificate: certificates.Certificate,
    *,
    source: str,
    accept_certificate: bool = False,
) -> tuple[secrets.Resealed, ...]:
    """Take over sealed values as they are, on the user's word that they were sealed with a certificate.

    Raises:
        errors.WrongUse: An unknown service or environment; the values are bound to another Secret.
        errors.Refused: The certificate is not to be trusted.
    """
    loaded, target = _target(directory, service, environment)
    _check_binding(loaded, target, foreign)
    reseal.check_certificate(loaded, target, certificate, accept=accept_certificate)
    stale = reseal.Stale(target, foreign.values)
    return reseal.write(loaded, [stale], [foreign.values], certificate, source)


async def of_cluster(
    directory: Path,
    service: str,
    environment: str,
    *,
    name: str = "",
    context: str | None = None,
    kubeconfig: Path | None = None,
    unverified_cluster: bool = False,
) -> secret_manifests.Secret:
    """A Secret that the environment's cluster has, in plain text.

    Args:
        directory: The repository or a folder in it.
        service: The service.
        environment: The environment.
        name: Name of the Secret, in the service's namespace; the service's own by default.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        unverified_cluster: Read it over a connection on which others may read along.

    Raises:
        errors.WrongUse: An unknown service or environment.
        errors.Refused: There is no such Secret, or the connection is not verified.
        errors.Unreachable: The cluster did not answer.
    """
    from hanbae.clusters import connections, kinds, reading

    confinement.forbid_core_dumps()
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    environments.require(environment, loaded.policy)
    services.check(loaded, service)
    namespace = naming.namespace(loaded.policy, service, environment)
    name = name or naming.secret(loaded.policy, service, environment)
    context = context or environments.workload(loaded.policy.environments[environment])
    async with connections.connect(context, kubeconfig=kubeconfig) as cluster:
        if not cluster.verified and not unverified_cluster:
            facts = {"environment": environment, "context": cluster.context}
            raise errors.Refused("seal.unverified", place=None, server=cluster.server, **facts)
        content = await reading.get(cluster, kinds.SECRET, namespace, name)
    if content is None:
        raise errors.Refused("import.no-secret", place=None, secret=f"{namespace}/{name}")
    return secret_manifests.of_object(content, f"Secret {namespace}/{name}")


def _target(
    directory: Path, service: str, environment: str
) -> tuple[loading.Loaded, sealed_files.SealedFile]:
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    environments.require(environment, loaded.policy)
    services.check(loaded, service)
    target = sealed_files.find(loaded, service, environment)
    if target is None:
        facts = {"service": service, "environment": environment}
        raise errors.WrongUse("import.no-file", place=None, **facts)
    return loaded, target


def _check_binding(
    loaded: loading.Loaded, target: sealed_files.SealedFile, foreign: Foreign
) -> None:
    """Refuse what is bound to another Secret than the service's: it would be opened nowhere."""
    scope = loaded.policy.secrets.scope
    label = encrypting.label(scope, target.namespace, target.secret)
    if foreign.scope != scope or foreign.label != label:
        facts = {
            "theirs": f"{foreign.namespace or '-'}/{foreign.name} ({foreign.scope})",
            "ours": f"{target.namespace}/{target.secret} ({scope})",
        }
        raise errors.FileFault(
            "import.bound-otherwise", place=subjects.Place(foreign.file), **facts
        )
