"""The certificates that values are sealed with: remembered, one for each cluster, not expired."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from hanbae import errors, patterns, subjects
from hanbae.policy import environments, naming
from hanbae.rules import rulebook, views
from hanbae.rules.secrets import secret_readers
from hanbae.sealing import certificates

_SOURCE: Final = "https://github.com/bitnami/sealed-secrets#secret-rotation"
_PIN: Final = ("sealedSecret", "certificate")
_FINGERPRINT: Final = patterns.lazy(r"sha256:[0-9a-f]{64}")
# Looked for in the text: parsing the values files of all services would take far longer.
_PINNED: Final = patterns.lazy(
    rb"^[ \t]+certificate:[ \t]*[\"']?(sha256:[0-9a-f]{64})", re.MULTILINE
)
SUFFIXES: Final = (".pem", ".crt", ".cert")
"""How the names of files end that hold a certificate."""
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_MOST_NAMED: Final = 3


@rulebook.of_release("SEC014", "warning", source=_SOURCE, essential=False)
def not_pinned(release: views.Release) -> Iterator[rulebook.Hit]:
    """Sealed values without the fingerprint of their certificate."""
    sealed = release.value("sealedSecret", "encryptedData")
    if not sealed:
        return
    facts = {
        "arguments": secret_readers.arguments(map(str, sealed) if isinstance(sealed, dict) else ())
    }
    pinned = release.value(*_PIN)
    if not pinned:
        yield rulebook.Hit(release.value_place("sealedSecret"), facts)
    elif not _FINGERPRINT.fullmatch(str(pinned)):
        yield rulebook.Hit(release.value_place(*_PIN), facts, variant="form", severity="error")


@rulebook.of_service("SEC015", "warning", source=_SOURCE, essential=False)
def shared(service: views.Service) -> Iterator[rulebook.Hit]:
    """One certificate for two clusters, or two for one."""
    for first, other in itertools.combinations(service.releases.values(), 2):
        pins = [str(release.value(*_PIN) or "") for release in (first, other)]
        clusters = [environments.workload(release.settings) for release in (first, other)]
        if not all(_FINGERPRINT.fullmatch(pin) for pin in pins):
            continue
        facts = {"one": first.environment, "other": other.environment}
        place = other.value_place(*_PIN)
        same_cluster = clusters[0] is not None and clusters[0] == clusters[1]
        apart = None not in clusters and not same_cluster
        if pins[0] == pins[1] and apart:
            yield rulebook.Hit(place, facts)
        elif pins[0] != pins[1] and same_cluster:
            facts["service"] = service.name
            fix = "rule.sec015-fix-renewed"
            yield rulebook.Hit(place, facts, "renewed", severity="notice", fix=fix)


@rulebook.of_project("SEC016", "warning", source=_SOURCE, essential=True)
def files(project: views.Project) -> Iterator[rulebook.Hit]:
    """A certificate in the repository that has expired, or is not the one that the values were sealed with."""
    for path, environment in _certificates(project):
        try:
            data = project.tree.read(path) or b""
            if _BEGIN not in data:
                continue
            certificate = certificates.parse(data, path)
        except errors.Error:
            continue
        place = subjects.Place(path)
        if project.now > certificate.not_after:
            date = certificate.not_after.date().isoformat()
            yield rulebook.Hit(place, {"date": date}, "expired")
        others = [
            service
            for service in project.services
            if _pinned(project, service, environment) - {certificate.fingerprint}
        ]
        if others:
            more = ", …" if len(others) > _MOST_NAMED else ""
            facts = {
                "environment": environment,
                "services": ", ".join(others[:_MOST_NAMED]) + more,
            }
            yield rulebook.Hit(place, facts, "other")


def _certificates(project: views.Project) -> Iterator[tuple[str, str]]:
    """Files that are named like an environment's certificate for sealing, such as ``certs/dev.pem``."""
    for path in project.tree.files():
        if not path.endswith(SUFFIXES):
            continue
        words = re.split(r"[/._-]+", path.lower())
        if not {*words} & {"certs", "cert", "certificates", "sealed", "sealing", "kubeseal"}:
            continue
        named = _named(project, words)
        if len(named) == 1:
            yield path, named[0]


def _named(project: views.Project, words: Sequence[str]) -> list[str]:
    """The environments that a file's words name; ``prod-eu`` is not ``prod``."""
    text, named = f"-{'-'.join(words)}-", []
    for name in sorted(project.environments, key=len, reverse=True):
        if f"-{name}-" in text:
            named.append(name)
            text = text.replace(f"-{name}-", "--")
    return named


def _pinned(project: views.Project, service: str, environment: str) -> set[str]:
    path = str(naming.values_file(project.policy, service, environment))
    try:
        data = project.tree.read(path) or b""
    except errors.FileFault:
        return set()
    return {match.decode() for match in _PINNED.findall(data)}
