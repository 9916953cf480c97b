"""Takes over secrets that were made without hanbae: a SealedSecret of kubeseal, or a Secret that a cluster has.

Which key a foreign SealedSecret was sealed for, nothing in it says.
So its values are sealed anew when they are taken over, by the controller or with a backup of its keys, unless the user
has the certificate and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hanbae import confinement, errors, subjects
from hanbae.planning import sealed_files, stale_values
from hanbae.policy import environments, loading, naming
from hanbae.repository import services
from hanbae.results import secrets
from hanbae.sealing import backups, certificates, encrypting, foreign_secrets, secret_manifests


async def by_controller(
    directory: Path,
    service: str,
    environment: str,
    foreign: foreign_secrets.Foreign,
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
        stale_values.check_certificate(loaded, target, certificate, accept=accept_certificate)
        stale = stale_values.Stale(target, foreign.values)
        anew = await stale_values.asked_for(loaded, controller, stale, certificate)
    return stale_values.write(loaded, [stale], [anew], certificate, controller.source)


def by_backup(
    directory: Path,
    service: str,
    environment: str,
    foreign: foreign_secrets.Foreign,
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
    stale_values.check_certificate(loaded, target, certificate, accept=accept_certificate)
    stale = stale_values.Stale(target, foreign.values)
    # The label that the values were sealed with opens them; what is written is bound to the
    # service's own Secret.
    anew = stale_values.recrypted(loaded, keys, stale, certificate, former=foreign.label)
    return stale_values.write(loaded, [stale], [anew], certificate, source)


def as_it_is(
    directory: Path,
    service: str,
    environment: str,
    foreign: foreign_secrets.Foreign,
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
    stale_values.check_certificate(loaded, target, certificate, accept=accept_certificate)
    stale = stale_values.Stale(target, foreign.values)
    return stale_values.write(loaded, [stale], [foreign.values], certificate, source)


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
    loaded: loading.Loaded, target: sealed_files.SealedFile, foreign: foreign_secrets.Foreign
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
