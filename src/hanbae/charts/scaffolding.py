"""The files with which a service begins: its chart, its Dockerfile and a first migration per database.

The templates are package data in ``scaffold/service``, close to what they become, so that they are read and
reviewed as a chart.
What the policy fixes (waves, limits, the Secret's name) is written into the chart as it is, because a chart must say
by itself what it does; ``hanbae new service`` shows the difference when the policy has moved on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from hanbae import errors, patterns
from hanbae.charts import filling, scaffolded_secrets
from hanbae.policy import connection_options, documents, environments, naming

_SERVICE: Final = patterns.lazy(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_DATABASE: Final = patterns.lazy(r"[a-z]([a-z0-9_]*[a-z0-9])?")
_IMAGE: Final = patterns.lazy(r"[a-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*")
# Words that YAML 1.1, which Helm reads, takes for something else than text.
_NO_TEXT: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
# Helm's limit for a release name, which leaves room for a suffix within the 63 of a DNS label.
_LONGEST_RELEASE: Final = 53
_LONGEST_NAME: Final = 63
_SCOPES: Final = {
    "strict": None,
    "namespace-wide": "sealedsecrets.bitnami.com/namespace-wide",
    "cluster-wide": "sealedsecrets.bitnami.com/cluster-wide",
}
_TEMPLATES: Final = (
    "_names.tpl",
    "deployment.yaml",
    "service.yaml",
    "ingress.yaml",
    "hpa.yaml",
    "migration-job.yaml",
    "serviceaccount.yaml",
)


def chart_files(
    service: str,
    policy: documents.Policy,
    *,
    databases: Sequence[str] = (),
    port: int = 8080,
    image: str | None = None,
) -> dict[str, str]:
    """The files of a new service.

    Args:
        service: Its name, the folder's name.
        policy: The policy, whose names, waves and limits are written into the chart.
        databases: Names of its databases in the order in which they are migrated; none for the default,
            ``<service>_db``.
        port: Port that the process listens on.
        image: Repository of its image, without tag; a placeholder by default.

    Returns:
        Path relative to the repository → text.

    Raises:
        errors.WrongUse: A name that Kubernetes would refuse, or more databases than there are waves.
    """
    refuse_names(service, policy)
    if image is not None and not _IMAGE.fullmatch(image):
        raise errors.WrongUse("new.not-an-image", image=image)
    folders = _databases(service, policy, databases)
    facts = _facts(service, policy, folders) | {
        "port": str(port),
        "image": image or f"registry.example.com/{service}",
    }
    chart = naming.chart(policy, service)
    files = _values(service, policy, facts)
    secret = scaffolded_secrets.template(policy)
    templates = (f"templates/{template}" for template in (*_TEMPLATES, secret))
    for name in ("Chart.yaml", "values.schema.json", *templates):
        files[f"{chart}/{name}"] = filling.filled(f"service/{name}", policy.language, facts)
    dockerfile = filling.filled("service/Dockerfile", policy.language, facts)
    files[f"{chart.parent}/Dockerfile"] = dockerfile
    for name, folder in folders.items():
        text = filling.filled("service/baseline.sql", policy.language, {"database": name})
        path = naming.migrations_folder(policy, service) / folder / "00001_baseline.sql"
        files[str(path)] = text
    return files


def is_name(service: str) -> bool:
    """Whether a service can be called that: a Service object and YAML 1.1 both take it as a name."""
    return bool(_SERVICE.fullmatch(service)) and service not in _NO_TEXT


def _values(service: str, policy: documents.Policy, facts: Mapping[str, str]) -> dict[str, str]:
    """A complete values file per environment, and the example for a developer's own."""

    def text(header: str, replicas: str, environment: str) -> str:
        more = {"header": header.rstrip("\n"), "replicas": replicas}
        more |= scaffolded_secrets.values(policy, service, environment, facts)
        return filling.filled("service/values.yaml", policy.language, {**facts, **more})

    example = filling.filled("service/parts/example.yaml", policy.language, {})
    own = f"{naming.chart(policy, service)}/values.yaml.example"
    names = environments.on_kubernetes(policy)
    files = {own: text(example, "1", next(iter(names), ""))}
    for index, environment in enumerate(names):
        named = {"service": service, "environment": environment}
        header = filling.filled("service/parts/values.yaml", policy.language, named)
        # The first environment is for trying things out; the others must survive the loss of a pod.
        replicas = "1" if index == 0 and len(names) > 1 else "2"
        own = str(naming.values_file(policy, service, environment))
        shared = _shared_values(service, policy, environment)
        files |= {path: "{}\n" for path in shared if path != own and path not in files}
        files[own] = text(header, replicas, environment)
    return files


def _shared_values(service: str, policy: documents.Policy, environment: str) -> list[str]:
    """The values files of a service's own, which must be there although all values stand in the environment's."""
    templates = naming.values_templates(policy, service, environment)
    files = naming.values_sources(policy, service, environment)
    return [
        file.path
        for template, file in zip(templates, files, strict=True)
        if file.inside or "{service}" in template or "{release}" in template
    ]


def refuse_names(service: str, policy: documents.Policy) -> None:
    """Refuse a service whose objects could not be named after it.

    Raises:
        errors.WrongUse: Its name is none, or makes others too long; or the policy's Secret cannot be scaffolded.
    """
    if not is_name(service):
        raise errors.WrongUse("new.not-a-service", service=service)
    if "{environment}" in policy.services.secret:
        raise errors.WrongUse("new.secret-by-environment", template=policy.services.secret)
    release = _longest_release(service, policy)
    if len(release) > _LONGEST_RELEASE:
        limit = str(_LONGEST_RELEASE)
        raise errors.WrongUse("new.release-too-long", release=release, limit=limit)


def _longest_release(service: str, policy: documents.Policy) -> str:
    releases = (naming.release(policy, service, name) for name in policy.environments)
    return max(releases, key=len)


def _databases(service: str, policy: documents.Policy, databases: Sequence[str]) -> dict[str, str]:
    """Database → its folder below ``migrations/``; a single one needs none."""
    names = tuple(databases) or (_default_database(service),)
    if len(set(names)) < len(names):
        raise errors.WrongUse("new.database-twice", databases=",".join(names))
    for name in names:
        if not _DATABASE.fullmatch(name) or name in _NO_TEXT:
            raise errors.WrongUse("new.not-a-database", database=name)
        release = _longest_release(service, policy)
        job = naming.migration_job(release, name, several=len(names) > 1)
        # PostgreSQL, too, takes 63 characters of a name, and cuts off the rest.
        if max(len(job), len(name)) > _LONGEST_NAME:
            raise errors.WrongUse("new.job-too-long", job=job, limit=str(_LONGEST_NAME))
    # Each database has a wave of its own, and all of them come before the pods' wave, which is 0.
    room = -policy.migrations.wave
    if len(names) > room:
        raise errors.WrongUse("new.too-many-databases", count=str(len(names)), room=str(room))
    return {name: name if len(names) > 1 else "" for name in names}


def _default_database(service: str) -> str:
    return f"{service.replace('-', '_')}_db"


def _facts(service: str, policy: documents.Policy, folders: Mapping[str, str]) -> dict[str, str]:
    migrations, scope = policy.migrations, _SCOPES[policy.secrets.scope]
    in_image = naming.migrations_folder(policy, "{{ $.Values.service.name }}")
    return {
        "service": service,
        # Of any environment: a name that differs between them was refused (`refuse_names`).
        "secret": naming.secret(policy, service, next(iter(policy.environments))),
        **_secret(policy.services.secret),
        "part_of": policy.argocd.project,
        "databases": "\n".join(_rows(migrations.wave, folders)),
        "store_keys": "\n".join(
            f"    - {_key(name, several=len(folders) > 1)}" for name in folders
        ),
        "default_database": _default_database(service),
        "runner": migrations.runner,
        "runner_stage": filling.filled(
            f"service/parts/{migrations.runner}.Dockerfile",
            policy.language,
            {"sources": naming.RUNNER_SOURCES},
        ),
        "phase": migrations.phase,
        "phase_comment": filling.filled(
            f"service/parts/{migrations.phase}.yaml", policy.language, {}
        ),
        "wave": str(migrations.wave),
        # With PreSync hanbae applies the secret by itself first, so its wave says nothing about the Jobs'.
        "wave_floor": str(policy.secrets.wave if migrations.phase == "Sync" else -1000),
        "secret_wave": str(policy.secrets.wave),
        "ttl": str(naming.seconds(migrations.ttl)),
        "backoff_limit": str(migrations.backoff_limit),
        "deadline": str(naming.seconds(migrations.deadline)),
        "lock_timeout": _lock_timeout(migrations),
        "rollout_deadline": str(naming.seconds(policy.rollout.deadline)),
        **scaffolded_secrets.facts(policy, _secret(policy.services.secret)),
        "scope": f'    {scope}: "true"' if scope else "",
        "template_scope": f'      annotations:\n        {scope}: "true"' if scope else "",
        "image_folder": f"/app/{in_image}",
        "service_folder": str(naming.chart(policy, service).parent),
        "migrations_folder": str(naming.migrations_folder(policy, service)),
    }


def _lock_timeout(migrations: documents.Migrations) -> str:
    """The variable by which goose's connection gets the policy's lock_timeout; empty where there is none."""
    options = connection_options.of(migrations)
    if not options:
        return ""
    return f"            - name: {connection_options.VARIABLE}\n              value: {options}"


def _secret(template: str) -> dict[str, str]:
    """The Secret's name as charts work it out, from the service's name or from the release's."""
    if "{release}" in template:
        return {"secret_of": "Release.Name", "secret_format": template.replace("{release}", "%s")}
    return {
        "secret_of": "Values.service.name",
        "secret_format": template.replace("{service}", "%s"),
    }


def _rows(wave: int, folders: Mapping[str, str]) -> list[str]:
    """``migration.databases`` as YAML, one line per database, one wave after the other."""
    return [
        f"    - {{name: {name}, urlKey: {_key(name, several=len(folders) > 1)}, "
        f"dir: {folder or json.dumps('')}, wave: {wave + index}}}"
        for index, (name, folder) in enumerate(folders.items())
    ]


def _key(database: str, *, several: bool) -> str:
    """The key of a database's URL in the Secret: ``DATABASE_URL``, ``IDENTITY_DATABASE_URL`` of several."""
    return f"{database.removesuffix('_db').upper()}_DATABASE_URL" if several else "DATABASE_URL"
