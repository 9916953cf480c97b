"""What the rendered releases say beyond files: how Secrets are called, where migrations are, which registries are."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import patterns
from hanbae.adopting import naming_patterns, proposal, surveyed_applications
from hanbae.adopting.survey import Survey
from hanbae.policy import folders
from hanbae.releases import parts

_READ: Final = frozenset({"env", "envFrom"})
"""Where a pod reads the Secret that is its own; others are certificates and credentials of registries."""
_WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Rollout"})
_LOCAL: Final = patterns.lazy(
    r"(?:localhost|registry|[a-z0-9.-]+\.(?:local|localhost|internal|svc))"
)


class Sample(Struct, frozen=True):
    """A release of the proposal, rendered.

    Attributes:
        service: The service.
        environment: The environment.
        release: What it is.
        chart: The chart's folder.
        migrations: Where the proposal would look for its migrations.
    """

    service: str
    environment: str
    release: parts.Release
    chart: str
    migrations: str


def with_applications(present: Survey, samples: Iterable[Sample]) -> Survey:
    """A survey with the Applications that charts make: such a chart is no service, and says what is deployed.

    Args:
        present: The survey.
        samples: The releases of what looked like services.
    """
    by_name: dict[str, surveyed_applications.Application] = {}
    makers: set[str] = set()
    for item in samples:
        for manifest in item.release.objects:
            if manifest.kind == "Application" and manifest.api_version.startswith("argoproj.io/"):
                application = surveyed_applications.from_manifest(manifest.data)
                by_name.setdefault(application.name, application)
                makers.add(item.chart)
    charts = tuple(
        msgspec.structs.replace(chart, library=True) if chart.folder in makers else chart
        for chart in present.charts
    )
    places = {chart.folder for chart in charts}
    names = {application.name for application in present.applications}
    new = [by_name[name] for name in by_name if name not in names and by_name[name].path in places]
    more = [application for application in new if not application.by_plugin]
    by_plugin = {application.path for application in new if application.by_plugin}
    return msgspec.structs.replace(
        present,
        charts=charts,
        applications=(*present.applications, *more),
        by_plugin=present.by_plugin | by_plugin,
    )


def completed(
    proposed: proposal.Proposal, samples: Sequence[Sample], survey: Survey
) -> proposal.Proposal:
    """A proposal with what its releases say.

    Args:
        proposed: The proposal.
        samples: Its releases, as far as they render.
        survey: What else there is in the repository.
    """
    named: proposal.Named = {service: dict(keys) for service, keys in proposed.named.items()}
    guesses = set(proposed.guesses)
    secret = _of_each("secret", _secrets(samples), named)
    if not secret:
        guesses.add("secret")
    migrations = _of_each("migrations", _migrations(samples, survey), named)
    namespace, environments = _namespace(proposed, samples, named, guesses)
    registries = tuple(sorted({host for item in samples for host in _plain_hosts(item.release)}))
    if registries:
        guesses.add("registries")
    return msgspec.structs.replace(
        proposed,
        named=named,
        namespace=namespace,
        environments=environments,
        secret=secret or proposed.secret,
        migrations=migrations,
        registries=registries,
        databases=tuple(_databases(samples)),
        phase=_phase(proposed, samples),
        guesses=frozenset(guesses),
    )


def _namespace(
    proposed: proposal.Proposal,
    samples: Sequence[Sample],
    named: proposal.Named,
    guesses: set[str],
) -> tuple[str, tuple[proposal.Environment, ...]]:
    """The namespace that manifests name themselves, where no Application says one; and the environments then."""
    if "namespace" not in proposed.guesses:
        return proposed.namespace, proposed.environments
    own = [
        naming_patterns.Sample(item.service, item.environment, name)
        for item in samples
        for name in _named_namespaces(item.release)[:1]
    ]
    pattern = naming_patterns.of(own, "")
    if not pattern.template:
        return proposed.namespace, proposed.environments
    guesses.discard("namespace")
    for service, template in pattern.named.items():
        named.setdefault(service, {})["namespace"] = template
    return pattern.template, proposal.apart(proposed.environments, pattern.template)


def _named_namespaces(release: parts.Release) -> list[str]:
    """The namespaces that the workloads of a release name themselves, the most frequent one first."""
    names = Counter(
        str(metadata["namespace"])
        for manifest in release.objects
        if isinstance(metadata := manifest.data.get("metadata"), dict)
        and metadata.get("namespace")
        and manifest.kind in _WORKLOADS
    )
    return [name for name, _ in names.most_common()]


def _of_each(field: str, templates: Mapping[str, Counter[str]], named: proposal.Named) -> str:
    """The template that most services fit; what one service alone has is written to its name."""
    counts = Counter(template for own in templates.values() for template in own)
    # A name without a placeholder would be the same for all services.
    general = [
        template for template in counts if "{service}" in template or "{release}" in template
    ]
    common = max(general, key=lambda item: (counts[item], -len(item), item), default="")
    for service, own in sorted(templates.items()):
        if common not in own:
            named.setdefault(service, {})[field] = own.most_common(1)[0][0]
    return common


def _secrets(samples: Iterable[Sample]) -> dict[str, Counter[str]]:
    """Service → the templates of the Secrets that its pods read, with how often."""
    templates: dict[str, Counter[str]] = {}
    for item in samples:
        for need in item.release.needs:
            if need.kind == "Secret" and not _READ.isdisjoint(need.part.pointer):
                template = _replaced(need.name, item.release.name, "{release}")
                template = _replaced(template, item.service, "{service}")
                template = _replaced(template, item.environment, "{environment}")
                templates.setdefault(item.service, Counter())[template] += 1
    return templates


def _replaced(text: str, part: str, placeholder: str) -> str:
    # The braces keep a service that is called `release` from being found in the placeholder `{release}`.
    return re.sub(rf"(?<![a-z0-9{{]){re.escape(part)}(?![a-z0-9}}])", placeholder, text, count=1)


def _migrations(samples: Sequence[Sample], survey: Survey) -> dict[str, Counter[str]]:
    """Service → the template of its folder of migrations, where that is not where it would be looked for."""
    templates: dict[str, Counter[str]] = {}
    services = {item.service for item in samples}
    for item in samples:
        candidates = _of_service(item, survey, alone=len(services) == 1)
        if not candidates or any(
            folders.holds(item.migrations, f"{folder}/") for folder in candidates
        ):
            continue
        folder = posixpath.commonpath(candidates)
        steps = [("{service}" if step == item.service else step) for step in folder.split("/")]
        templates.setdefault(item.service, Counter())["/".join(steps)] += 1
    return templates


def _of_service(item: Sample, survey: Survey, *, alone: bool) -> list[str]:
    """The folders with goose's files that are a service's: by its name on the way, or by what its Dockerfile copies."""
    own = [folder for folder in survey.goose if item.service in folder.split("/")]
    copied = [
        folder
        for copy in survey.copies
        if alone or item.service in copy.dockerfile.split("/")
        for folder in survey.goose
        if folders.holds(copy.source, f"{folder}/") and _runs(item.release, copy.target)
    ]
    return own or copied or (list(survey.goose) if alone else [])


def _runs(release: parts.Release, folder: str) -> bool:
    """Whether a migration of a release runs what is in a folder of its image."""
    read = [migration.folder for migration in release.migrations if migration.folder]
    return not read or any(f"{own}/".startswith(f"{folder.rstrip('/')}/") for own in read)


def _plain_hosts(release: parts.Release) -> Iterable[str]:
    """The registries of images that are on this machine or in a network of the team's own."""
    for image in release.images:
        host, slash, _ = image.reference.partition("/")
        name, _, port = host.rpartition(":") if ":" in host else (host, "", "")
        if slash and port.isdigit() and (_LOCAL.fullmatch(name) or _is_private(name)):
            yield host


def _is_private(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return False


def _databases(samples: Iterable[Sample]) -> Iterable[str]:
    """The databases that are migrated, each with its service once: ``auth/identity``."""
    names = (
        f"{item.service}/{migration.database}"
        for item in samples
        for migration in item.release.migrations
    )
    return dict.fromkeys(names)


def _phase(proposed: proposal.Proposal, samples: Iterable[Sample]) -> str:
    """``PreSync`` where all Jobs migrate in it and Argo CD syncs nothing by itself, which a first install deadlocks."""
    phases = {
        migration.phase
        for item in samples
        for migration in item.release.migrations
        if migration.job.kind == "Job"
    }
    by_hand = not any(environment.automated for environment in proposed.environments)
    return "PreSync" if phases == {"PreSync"} and by_hand else ""
