"""Seals values and writes them into the values file of one environment.

The plaintext arrives masked and leaves as ciphertext: it is never in a file, an argument or a child's environment.
What can go wrong silently is the certificate: a value that was sealed for another cluster is found out when it is
deployed.
So the values file remembers the fingerprint of its certificate, and another one is only taken when the user says so,
whoever names it: as with ssh, a key that changed is either a renewal or an attack, and only a person can tell which.
The first one is taken on trust, so it comes over a verified connection, and is shown where it can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hanbae import confinement, errors, files, foreign_json, masking, subjects
from hanbae.actions import seal_manifest
from hanbae.charts import values
from hanbae.planning import sealed_manifests
from hanbae.policy import documents, environments, loading, naming, service_paths
from hanbae.repository import services, trees
from hanbae.results import secrets
from hanbae.sealing import certificates, encrypting, pins
from hanbae.sealing import plaintexts as plaintext_rules

SECTION: Final = pins.DATA[:1]
"""Where a values file has what is sealed."""
_PATH: Final = "/v1/cert.pem"


async def seal(
    directory: Path,
    service: str,
    environment: str,
    plaintexts: Mapping[str, masking.Masked],
    *,
    certificate: bytes | None = None,
    certificate_source: str = "",
    context: str | None = None,
    kubeconfig: Path | None = None,
    accept_certificate: bool = False,
    unverified_cluster: bool = False,
    allow_empty: bool = False,
    binary: bool = False,
) -> secrets.Sealed:
    """Seal values for one service in one environment; keys that are not given stay as they are.

    Args:
        directory: The repository or a folder in it.
        service: The service.
        environment: The environment.
        plaintexts: Key to value.
        certificate: The controller's certificate, PEM; None to fetch it from the environment's controller.
        certificate_source: Where `certificate` came from, for errors.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        accept_certificate: Take a certificate that differs from the remembered one.
        unverified_cluster: Take the certificate over a connection on which anybody may answer: plain HTTP, or a
            kubeconfig that says ``insecure-skip-tls-verify``.
        allow_empty: Seal empty values too; they are mostly the trace of a command that failed.
        binary: The values are mounted as files, so that they may be what no environment variable can hold.

    Raises:
        errors.WrongUse: An unknown service, environment or context; a key that Kubernetes would refuse; a value that is
            empty or that no environment variable can hold; more than a Secret can hold.
        errors.FileFault: The policy or the values file has a fault.
        errors.Refused: The certificate has expired, is not this environment's, not the remembered one, or came over a
            connection that was not verified.
        errors.Unreachable: The controller did not answer.
    """
    loaded = services.opened(directory)
    environments.require(environment, loaded.policy)
    services.check(loaded, service)
    confinement.forbid_core_dumps()
    plaintext_rules.check(plaintexts, allow_empty=allow_empty, binary=binary)
    origin = Path(
        certificate_source
    ).name  # its folder is the user's own, and the file is committed
    if certificate is None:
        certificate, certificate_source = await fetch_certificate(
            loaded.policy,
            environment,
            context=context,
            kubeconfig=kubeconfig,
            unverified_cluster=unverified_cluster,
        )
        origin = certificate_source
    parsed = certificates.parse(certificate, certificate_source)
    parsed.check(datetime.now(UTC))
    written = await _into(
        loaded, service, environment, plaintexts, parsed, origin=origin, accept=accept_certificate
    )
    file, remembered, outdated = written
    secret = naming.secret(loaded.policy, service, environment)
    return secrets.Sealed(
        service,
        environment,
        file,
        tuple(plaintexts),
        f"{naming.namespace(loaded.policy, service, environment)}/{secret}",
        loaded.policy.secrets.scope,
        parsed.fingerprint,
        renewed=bool(remembered) and remembered != parsed.fingerprint,
        source=certificate_source,
        first_use=not remembered,
        outdated=outdated,
    )


_Written = tuple[str, str, tuple[str, ...]]
"""The file, the certificate that it remembered, and the keys that stay sealed for another one."""


async def _into(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    plaintexts: Mapping[str, masking.Masked],
    certificate: certificates.Certificate,
    *,
    origin: str,
    accept: bool,
) -> _Written:
    """Seal into the values file; without a chart, into the SealedSecret of the overlay or the manifests."""
    if service_paths.has_no_chart(loaded.policy.services, service):
        sealed = sealed_manifests.find(
            loaded.policy, trees.WorkingTree(loaded.root), service, environment
        )
        place = subjects.Place(sealed.path)
        if not accept:
            remembered = str(sealed.section.get(pins.CERTIFICATE[1]) or "")
            _check_certificate(
                loaded,
                service,
                environment,
                remembered=remembered,
                place=place,
                certificate=certificate,
            )
        changes, outdated = _changes(
            loaded,
            service,
            environment,
            plaintexts,
            certificate,
            section=sealed.section,
            origin=origin,
        )
        await seal_manifest.write(loaded, service, environment, sealed, changes)
        return sealed.path, str(sealed.section.get(pins.CERTIFICATE[1]) or ""), outdated
    path, file = services.values_file(loaded, service, environment)
    with values.editing(path, file) as document:
        remembered = str(document.get(pins.CERTIFICATE) or "")
        place = document.place(pins.CERTIFICATE if remembered else ())
        if not accept:
            _check_certificate(
                loaded,
                service,
                environment,
                remembered=remembered,
                place=place,
                certificate=certificate,
            )
        section = document.get(SECTION)
        changes, outdated = _changes(
            loaded, service, environment, plaintexts, certificate, section=section, origin=origin
        )
        document.update(
            {
                **_below(changes, pins.CERTIFICATE),
                **_allowed(loaded, service, pins.PINS, _below(changes, pins.PINS)),
                **_allowed(loaded, service, pins.SOURCES, _below(changes, pins.SOURCES)),
                **_below(changes, pins.DATA),
            }
        )
    return file, remembered, outdated


def _below(
    changes: Mapping[tuple[str, ...], str], section: tuple[str, str]
) -> dict[tuple[str, ...], str]:
    return {path: text for path, text in changes.items() if path[:2] == section}


def _changes(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    plaintexts: Mapping[str, masking.Masked],
    certificate: certificates.Certificate,
    *,
    section: object,
    origin: str,
) -> tuple[dict[tuple[str, ...], str], tuple[str, ...]]:
    """What is written so that values are sealed, and the keys that stay sealed for another certificate."""
    before = section.get(pins.DATA[1]) if isinstance(section, dict) else None
    plaintext_rules.check_size(plaintexts, before if isinstance(before, dict) else {})
    namespace = naming.namespace(loaded.policy, service, environment)
    secret = naming.secret(loaded.policy, service, environment)
    label = encrypting.label(loaded.policy.secrets.scope, namespace, secret)
    sealed = {
        key: encrypting.encrypt(plaintext, certificate.public_key, label)
        for key, plaintext in plaintexts.items()
    }
    renewal = pins.renewal(section, sealed, certificate.fingerprint)
    changes: dict[tuple[str, ...], str] = {pins.CERTIFICATE: certificate.fingerprint}
    changes |= renewal.changes
    changes |= pins.sourced(section, certificate.fingerprint, origin)
    changes |= {(*pins.DATA, key): ciphertext for key, ciphertext in sealed.items()}
    return changes, renewal.outdated


async def fetch_certificate(
    policy: documents.Policy,
    environment: str,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
    unverified_cluster: bool = False,
) -> tuple[bytes, str]:
    """The certificate that an environment's controller serves now, PEM, and where it came from.

    It comes through the API server's proxy.

    Args:
        policy: The policy.
        environment: The environment.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        unverified_cluster: Take it over a connection on which anybody may answer.

    Raises:
        errors.Unreachable: The cluster or the controller did not answer.
        errors.Forbidden: The identity may not ask the controller.
        errors.Refused: There is no such controller, or the connection is not verified.
    """
    from hanbae.clusters import connections, reading

    where = policy.environments[environment]
    namespace, _, name = policy.secrets.controller.partition("/")
    context = context or environments.workload(where)
    async with connections.connect(context, kubeconfig=kubeconfig) as cluster:
        if not cluster.verified and not unverified_cluster:
            # Before anything is sent: whoever answers there would be believed.
            raise errors.Refused(
                "seal.unverified",
                environment=environment,
                context=cluster.context,
                server=cluster.server,
            )
        pem = await reading.service_get(cluster, namespace, name, _PATH)
        return pem, f"{policy.secrets.controller} ({cluster.context}, {cluster.server})"


def _check_certificate(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    *,
    remembered: str,
    place: subjects.Place,
    certificate: certificates.Certificate,
) -> None:
    """Refuse the certificate of another environment, and an unexplained new one."""
    if remembered == certificate.fingerprint:
        return
    facts = {
        "environment": environment,
        "certificate": certificate.fingerprint,
        "remembered": str(remembered) or "-",
    }
    for other in environments.on_kubernetes(loaded.policy):
        same_cluster = _share_cluster(loaded.policy, environment, other)
        if other == environment or (same_cluster and not remembered):
            continue
        if _remembered(loaded, service, other) == certificate.fingerprint:
            text_id = "seal.other-environment" if remembered else "seal.other-environment-first"
            raise errors.Refused(text_id, place=place, other=other, **facts)
    if remembered:
        raise errors.Refused("seal.other-certificate", place=place, **facts)
    # A branch that takes out the pin must not make a known controller a new one.
    others = _remembered_by_others(loaded, service, environment)
    if others and certificate.fingerprint not in others:
        facts["remembered"] = min(others)
        raise errors.Refused("seal.other-certificate", place=place, **facts)


def _remembered_by_others(loaded: loading.Loaded, service: str, environment: str) -> set[str]:
    """The certificates that the environment's other services were sealed with."""
    remembered = set()
    for other in services.of_checkout(loaded):
        if service_paths.has_no_chart(loaded.policy.services, other):
            remembered |= {_remembered(loaded, other, environment)} if other != service else set()
            continue
        path, _ = services.values_file(loaded, other, environment)
        if other != service and path.is_file():
            with path.open("rb") as file:
                remembered |= pins.mentioned(file.read(values.LARGEST_FILE))
    return remembered - {""}


def _remembered(loaded: loading.Loaded, service: str, environment: str) -> str:
    """The certificate that a service's values are sealed with in an environment; empty where nothing says it."""
    if service_paths.has_no_chart(loaded.policy.services, service):
        if not service_paths.is_in(loaded.policy.services, service, environment):
            return ""
        tree = trees.WorkingTree(loaded.root)
        sealed = sealed_manifests.find(loaded.policy, tree, service, environment)
        return str(sealed.section.get(pins.CERTIFICATE[1]) or "")
    path, file = services.values_file(loaded, service, environment)
    if not path.is_file():
        return ""
    return str(values.read(path, file).get(pins.CERTIFICATE) or "")


def _share_cluster(policy: documents.Policy, name: str, other: str) -> bool:
    """Whether two environments may be in one cluster: same context, and namespaces that differ."""
    a, b = policy.environments[name], policy.environments[other]
    together = bool(environments.share_pods_cluster(a, b))
    return together and a.namespace_suffix != b.namespace_suffix


def _allowed(
    loaded: loading.Loaded,
    service: str,
    section: tuple[str, str],
    changes: Mapping[tuple[str, ...], str],
) -> Mapping[tuple[str, ...], str]:
    """Changes in a section of the values, where the chart's schema has room for it."""
    if not changes:
        return {}
    path = loaded.root / naming.chart(loaded.policy, service) / "values.schema.json"
    try:
        data = files.ordinary(path, most=values.LARGEST_FILE)
        schema = foreign_json.decode(data or b"")
    except (OSError, foreign_json.Fault):
        schema = None  # none, or one that every rendering complains of
    return changes if pins.takes(schema, section) else {}


def place_of(document: values.Values, key: str) -> subjects.Place:
    """Where a sealed value stands in a values file; the file itself if it is not there."""
    return document.place((*pins.DATA, key))
