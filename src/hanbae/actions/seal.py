"""Seals values and writes them into the values file of one environment.

The plaintext arrives masked and leaves as ciphertext: it is never in a file, an argument or a child's environment.
What can go wrong silently is the certificate: a value that was sealed for another cluster is found out when it is
deployed.
So the values file remembers the fingerprint of its certificate, and another one is only taken from a source that
cannot be mistaken, or when the user says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hanbae import confinement, errors, masking, subjects
from hanbae.charts import values
from hanbae.policy import documents, environments, loading, naming
from hanbae.repository import services
from hanbae.results import secrets
from hanbae.sealing import certificates, encrypting
from hanbae.sealing import plaintexts as plaintext_rules

CERTIFICATE: Final = ("sealedSecret", "certificate")
"""Where a values file remembers the certificate."""
DATA: Final = ("sealedSecret", "encryptedData")
"""Where the sealed values are."""

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
        allow_empty: Seal empty values too; they are mostly the trace of a command that failed.
        binary: The values are mounted as files, so that they may be what no environment variable can hold.

    Raises:
        errors.WrongUse: An unknown service, environment or context; a key that Kubernetes would refuse; a value that is
            empty or that no environment variable can hold; more than a Secret can hold.
        errors.FileFault: The policy or the values file has a fault.
        errors.Refused: The certificate has expired or is not this environment's.
        errors.Unreachable: The controller did not answer.
    """
    loaded = loading.load(loading.find(directory))
    where = environments.require(environment, loaded.policy)
    services.check(loaded, service)
    confinement.forbid_core_dumps()
    plaintext_rules.check(plaintexts, allow_empty=allow_empty, binary=binary)
    if certificate is None:
        certificate_source = loaded.policy.secrets.controller
        certificate = await fetch_certificate(
            loaded.policy, environment, context=context, kubeconfig=kubeconfig
        )
        # The policy itself says which cluster this is; the context that happens to be current says nothing.
        certain = context is None and bool(environments.workload(where))
    else:
        certain = False
    parsed = certificates.parse(certificate, certificate_source)
    parsed.check(datetime.now(UTC))
    path, file = services.values_file(loaded, service, environment)
    with values.editing(path, file) as document:
        remembered = document.get(CERTIFICATE) or ""
        if not accept_certificate:
            _check_certificate(loaded, service, environment, document, parsed, certain=certain)
        secret, namespace = (
            naming.secret(loaded.policy, service),
            naming.namespace(loaded.policy, service, environment),
        )
        sealed_before = document.get(DATA)
        plaintext_rules.check_size(
            plaintexts, sealed_before if isinstance(sealed_before, dict) else {}
        )
        label = encrypting.label(loaded.policy.secrets.scope, namespace, secret)
        sealed = {
            key: encrypting.encrypt(plaintext, parsed.public_key, label)
            for key, plaintext in plaintexts.items()
        }
        document.update(
            {CERTIFICATE: parsed.fingerprint}
            | {(*DATA, key): ciphertext for key, ciphertext in sealed.items()}
        )
    return secrets.Sealed(
        service,
        environment,
        file,
        tuple(sealed),
        f"{namespace}/{secret}",
        loaded.policy.secrets.scope,
        parsed.fingerprint,
        renewed=bool(remembered) and remembered != parsed.fingerprint,
    )


async def fetch_certificate(
    policy: documents.Policy,
    environment: str,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> bytes:
    """The certificate that an environment's controller serves now, PEM, through the API server's proxy.

    Args:
        policy: The policy.
        environment: The environment.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.

    Raises:
        errors.Unreachable: The cluster or the controller did not answer.
        errors.Forbidden: The identity may not ask the controller.
        errors.Refused: There is no such controller.
    """
    from hanbae.clusters import connections, reading

    where = policy.environments[environment]
    namespace, _, name = policy.secrets.controller.partition("/")
    context = context or environments.workload(where)
    async with connections.connect(context, kubeconfig=kubeconfig) as cluster:
        return await reading.service_get(cluster, namespace, name, _PATH)


def _check_certificate(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    document: values.Values,
    certificate: certificates.Certificate,
    *,
    certain: bool,
) -> None:
    """Refuse the certificate of another environment, and an unexplained new one."""
    remembered = document.get(CERTIFICATE) or ""
    if remembered == certificate.fingerprint:
        return
    place = document.place(CERTIFICATE if remembered else ())
    facts = {
        "environment": environment,
        "certificate": _short(certificate.fingerprint),
        "remembered": _short(str(remembered)) or "-",
    }
    for other in environments.on_kubernetes(loaded.policy):
        same_cluster = _share_cluster(loaded.policy, environment, other)
        if other == environment or (same_cluster and not remembered):
            continue
        path, file = services.values_file(loaded, service, other)
        if path.is_file() and values.read(path, file).get(CERTIFICATE) == certificate.fingerprint:
            raise errors.Refused("seal.other-environment", place=place, other=other, **facts)
    if remembered and not certain:
        raise errors.Refused("seal.other-certificate", place=place, **facts)


def _share_cluster(policy: documents.Policy, name: str, other: str) -> bool:
    """Whether two environments may be in one cluster: same context, and namespaces that differ."""
    a, b = policy.environments[name], policy.environments[other]
    together = bool(environments.share_pods_cluster(a, b))
    return together and a.namespace_suffix != b.namespace_suffix


def _short(fingerprint: str) -> str:
    """Enough of a fingerprint to compare by eye."""
    return fingerprint[: len("sha256:") + 16]


def place_of(document: values.Values, key: str) -> subjects.Place:
    """Where a sealed value stands in a values file; the file itself if it is not there."""
    return document.place((*DATA, key))
