"""What the documents tell of a service, read from its rendered releases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from hanbae import errors
from hanbae.handbook import facts
from hanbae.images import references
from hanbae.masking import redactor
from hanbae.releases import parts
from hanbae.releases.objects import Object
from hanbae.rules import views

_STAY: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Rollout"})
_OTHERS: Final = frozenset(
    {"Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
)
_SEALED: Final = "templates/sealed-secret.yaml"
_DELETION: Final = "argocd.argoproj.io/hook-delete-policy"
_LONGEST_COMMAND: Final = 40
_LONGEST_WORD: Final = 200
"""Characters of a word that is kept once it was masked; what is longer is a script of one service."""
_MOST_WORDS: Final = 1024
_REDACT: Final = redactor.Redactor()


def service(view: views.Service, deployed: dict[str, facts.Deployed]) -> facts.Service:
    """A service, with what is in each environment as of :func:`deployed`."""
    project = view.project
    if view.name in project.chartless:
        return facts.Service(view.name, "", (), False, False, deployed)
    sealed = view.text(view.chart_file(_SEALED))
    return facts.Service(
        view.name,
        view.chart,
        tuple(sorted(view.chart_files)),
        project.tree.ignored(view.chart_file("values.yaml")),
        sealed is not None and "{{" not in sealed,
        deployed,
    )


def deployed(view: views.Service) -> dict[str, facts.Deployed] | None:
    """What is in each environment; None where some of it does not render, so that it is not known."""
    if view.unrendered or view.incomplete:
        return None
    return {name: _of(release) for name, release in view.releases.items()}


def _of(release: views.Release) -> facts.Deployed:
    model, masked = release.model, release.service.once(_by_word)
    named = (
        () if release.layer else model.images
    )  # an image for the rules alone is none of the team's
    return facts.Deployed(
        workloads=tuple(
            _label(workload.object) for workload in model.workloads if workload.ref.kind in _STAY
        ),
        images=tuple(dict.fromkeys(_repository(image.reference) for image in named)),
        pull_secrets=tuple(
            dict.fromkeys(name for image in model.images for name in image.pull_secrets)
        ),
        services=tuple(_ports(manifest) for manifest in release.of_kind("Service")),
        others=tuple(_label(manifest) for manifest in release.objects if manifest.kind in _OTHERS),
        secrets=_secrets(model),
        migrations=tuple(
            _migration(migration, masked, is_known=not release.layer)
            for migration in model.migrations
        ),
    )


def _secrets(model: parts.Release) -> dict[str, tuple[str, ...]]:
    keys: dict[str, set[str]] = {}
    for need in model.needs:
        if need.kind == "Secret":
            # A need without a key is one of the whole Secret.
            keys.setdefault(need.name, set()).update({need.key} - {""})
    for entry in model.makes:
        if entry.kind == "Secret":
            keys.setdefault(entry.name, set()).update(entry.keys or ())
    return {name: tuple(sorted(keys[name])) for name in sorted(keys)}


def _migration(
    migration: parts.Migration, masked: Callable[[str], str], *, is_known: bool
) -> facts.Migration:
    manifest = migration.part.object
    container = manifest.get(*migration.part.pointer, default={})
    address = migration.address
    return facts.Migration(
        job=migration.job.name,
        kind=migration.job.kind,
        database=migration.database,
        phase=migration.phase,
        wave=migration.wave,
        delete_policy=str(manifest.annotations.get(_DELETION) or ""),
        ttl=_count(manifest.get("spec", "ttlSecondsAfterFinished")),
        backoff_limit=_count(manifest.get("spec", "backoffLimit")),
        restart_policy=str(manifest.get(*(manifest.pod or ()), "restartPolicy", default="")),
        container=migration.container,
        image=_repository(migration.image.reference) if is_known else "",
        command=tuple(_words(container, masked)),
        secret=address.secret if address else "",
        key=address.key if address else "",
        variable=address.variable if address else "",
        reads_all=address is not None and _reads_all(container, address.secret),
        table=migration.table,
    )


def _reads_all(container: Any, secret: str) -> bool:
    sources = container.get("envFrom") if isinstance(container, dict) else None
    return any(
        isinstance(source, dict) and source.get("secretRef", {}) == {"name": secret}
        for source in (sources if isinstance(sources, list) else ())
    )


def _words(container: Any, masked: Callable[[str], str]) -> Iterator[str]:
    """What a container runs; what looks like a password in it is masked."""
    for field in ("command", "args"):
        words = container.get(field) if isinstance(container, dict) else None
        for word in (words if isinstance(words, list) else [])[:_LONGEST_COMMAND]:
            text = str(word)
            yield masked(text) if len(text) <= _LONGEST_WORD else _REDACT(text)


def _by_word(_: views.Service) -> Callable[[str], str]:
    """Masks a short word, once for all environments; passwords among the words go with the service."""
    return lru_cache(maxsize=_MOST_WORDS)(_REDACT)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _ports(manifest: Object) -> str:
    ports = manifest.get("spec", "ports")
    numbers = [
        str(port.get("port"))
        for port in (ports if isinstance(ports, list) else ())
        if isinstance(port, dict)
    ]
    return ":".join([manifest.name, ",".join(numbers)]) if numbers else manifest.name


def _label(manifest: Object) -> str:
    return f"{manifest.kind.lower()}/{manifest.name}"


def _repository(reference: str) -> str:
    """An image without its tag and digest: these change with every deployment."""
    try:
        return references.parse(reference).repository
    except errors.WrongUse:
        return reference
