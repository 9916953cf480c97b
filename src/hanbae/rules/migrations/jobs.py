"""The migration Jobs: one for each database, called and limited as the policy says, with goose as it should be run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import patterns
from hanbae.migrations import declared_databases, lock_timeouts
from hanbae.policy import connection_options, labels, naming
from hanbae.releases import goose, migrated_databases, tools
from hanbae.rules import rulebook, scaffolds, views
from hanbae.rules.migrations import drivers

_POLICY: Final = "deployment-policy.ko.md, Database Migration Job"
_GOOSE: Final = "https://github.com/pressly/goose#usage"
_HOOK: Final = "argocd.argoproj.io/hook"
_SHELL: Final = patterns.lazy(r"(?:.*/)?(?:ba|da|a|z|k)?sh\Z")
_URL: Final = patterns.lazy(
    r"(?:postgres(?:ql)?|mysql|clickhouse|tcp|sqlserver)://|\bpassword=", re.IGNORECASE
)


Declared = tuple[declared_databases.Database, str, views.Object | None]
"""A database, the name that its Job has by contract, and the Job; None where there is none."""


def of_databases(release: views.Release) -> tuple[Declared, ...]:
    """The databases of a release with their Jobs: those that the values declare, and those of which there is a Job."""
    return release.once(_of_databases)


def _of_databases(release: views.Release) -> tuple[Declared, ...]:
    if not release.migrated:
        return ()
    jobs = list(release.of_kind("Job"))
    labelled = {str(job.get("metadata", "labels", labels.DATABASE)): job for job in jobs}
    names = {job.name: job for job in jobs}
    return tuple(
        (entry.database, name, job)
        for entry in release.migrated
        for name, job in [_job(entry, labelled, names)]
        if job is not None or entry.declared
    )


def _job(
    entry: migrated_databases.Migrated,
    labelled: Mapping[str, views.Object],
    names: Mapping[str, views.Object],
) -> tuple[str, views.Object | None]:
    """The name that a database's Job has by contract, and the Job; a chart of others has its own names."""
    if not entry.declared:
        manifest = entry.migration.part.object if entry.migration else None
        is_job = manifest is not None and manifest.kind == "Job"
        return entry.job, manifest if is_job else None
    return entry.contract, labelled.get(entry.database.name) or names.get(entry.contract)


def with_jobs(release: views.Release) -> Iterator[tuple[declared_databases.Database, views.Object]]:
    """The declared databases that have a Job."""
    for database, _, job in of_databases(release):
        if job is not None:
            yield database, job


@rulebook.of_release("MIG019", "error", source=_POLICY, essential=False)
def missing_job(release: views.Release) -> Iterator[rulebook.Hit]:
    """A declared database that no Job migrates, or one whose Job is not run or not found as it should be."""
    for database, name, job in of_databases(release):
        facts = {"database": database.name, "job": name}
        if job is None:
            yield rulebook.Hit(release.value_place("migration", "databases"), facts)
        elif job.name != name and job.get("metadata", "name") is not None:
            part = views.On(job, ("metadata", "name"), key=True)
            yield rulebook.Hit(part, {**facts, "found": job.name}, "name", severity="warning")
        if job is not None and not job.phases and job.annotations.get(_HOOK) in (None, "Skip"):
            part = views.On(job, ("metadata", "annotations"), key=True)
            yield rulebook.Hit(part, facts, "hook")


@rulebook.of_release("MIG020", "error", source="docs/reference/policy.md", essential=False)
def limits(release: views.Release) -> Iterator[rulebook.Hit]:
    """A migration Job with another phase, another lifetime or another number of tries than the policy's."""
    policy = release.policy.migrations
    limits_: Mapping[str, int] = {
        "ttlSecondsAfterFinished": naming.seconds(policy.ttl),
        "backoffLimit": policy.backoff_limit,
        "activeDeadlineSeconds": naming.seconds(policy.deadline),
    }
    for _, job in with_jobs(release):
        named = {"service": release.service.name}
        for field, value in limits_.items():
            actual = job.get("spec", field)
            if actual == value or (actual is None and field != "ttlSecondsAfterFinished"):
                continue  # what a Job without a deadline or a number of tries does is told by the rules of Argo CD
            printable = "-" if actual is None else str(actual)[:20]
            facts = {"field": field, "found": printable, "wanted": str(value), **named}
            yield rulebook.Hit(views.On(job, ("spec", field)), facts, fix=_upgrade(release))
        yield from _patience(release, job)
        yield from _runner(release, job)
        # A word that is no phase has a rule of its own; Argo CD then goes by what Helm's annotation says.
        own = str(job.annotations.get(_HOOK, job.phases))
        meant = any(phase in own for phase in job.phases)
        if meant and policy.phase not in job.phases:
            part = views.On(job, ("metadata", "annotations", _HOOK))
            facts = {"found": ", ".join(job.phases), "wanted": policy.phase, **named}
            yield rulebook.Hit(part, facts, "phase", fix=_upgrade(release))


def _upgrade(release: views.Release) -> str:
    """The sentence for a chart that hanbae has scaffolded; empty for others."""
    return "rule.mig020-fix-upgrade" if scaffolds.is_upgraded(release.service) else ""


def _patience(release: views.Release, job: views.Object) -> Iterator[rulebook.Hit]:
    """A Job whose goose waits for locks otherwise than the policy says."""
    expected = connection_options.of(release.policy.migrations)
    timeout = lock_timeouts.of_options(expected)
    for migration in drivers.goose(release) if timeout else ():
        if migration.job == job.ref and migration.lock_timeout != timeout:
            facts = {"found": migration.lock_timeout or "-", "wanted": expected}
            facts |= {"field": connection_options.VARIABLE, "service": release.service.name}
            yield rulebook.Hit(migration.part, facts, fix=_upgrade(release))


def _runner(release: views.Release, job: views.Object) -> Iterator[rulebook.Hit]:
    """A Job without the lock that the policy asks for."""
    if release.policy.migrations.runner != tools.RUNNER:
        return
    for migration in drivers.goose(release):
        # It has a lock of PostgreSQL alone; other databases keep goose's own command.
        without = migration.tool == tools.GOOSE and migration.driver in ("postgres", "pgx")
        if migration.job == job.ref and without:
            facts = {"field": "command", "found": migration.tool, "wanted": tools.RUNNER}
            facts["service"] = release.service.name
            is_upgraded = scaffolds.is_upgraded(release.service)
            fix = "rule.mig020-fix-runner" if is_upgraded else "rule.mig020-fix-built"
            yield rulebook.Hit(migration.part, facts, fix=fix)


@rulebook.of_release("MIG021", "error", source=_GOOSE, essential=True)
def command(release: views.Release) -> Iterator[rulebook.Hit]:
    """A command that runs goose through a shell, with the database's URL in its arguments, or with another folder."""
    for database, job in with_jobs(release):
        for pointer, container in job.containers(init=False):
            command, args = container.get("command"), container.get("args")
            words = [
                str(word)
                for part in (command, args)
                for word in (part if isinstance(part, list) else ())
            ]
            if not words or not any(name in word for word in words for name in tools.OF_GOOSE):
                continue
            field = "args" if args else "command"
            yield from _misuse(job, (*pointer, field), words, database)


def _misuse(
    job: views.Object,
    pointer: views.Pointer,
    words: list[str],
    database: declared_databases.Database,
) -> Iterator[rulebook.Hit]:
    facts = {"object": job.label, "database": database.name}
    if _SHELL.match(words[0]):
        yield rulebook.Hit(
            views.On(job, (*pointer[:-1], "command")), facts, "shell", severity="warning"
        )
        return
    # First a look at characters of whatever it finds: it may begin in any place of a word, and hardly any has these.
    if any(_URL.search(word) for word in words if "=" in word or "://" in word):
        yield rulebook.Hit(views.On(job, pointer), facts, "url")
    if goose.besides_flags(words)[-1:] not in (["up"], ["up-by-one"]):
        yield rulebook.Hit(views.On(job, pointer), facts, "up")
    folder = directory(job, words)
    if not folder:
        yield rulebook.Hit(views.On(job, pointer), facts, "dir")
    elif database.directory and not folder.endswith(f"/{database.directory.strip('/')}"):
        more = {**facts, "folder": folder[:120], "wanted": database.directory}
        yield rulebook.Hit(views.On(job, pointer), more, "other")


def directory(job: views.Object, words: list[str]) -> str:
    """The folder that goose is given, by its flag or its variable; empty for none."""
    for index, word in enumerate(words):
        flag, _, value = word.partition("=")
        if flag in ("-dir", "--dir"):
            return (value or "".join(words[index + 1 : index + 2])).rstrip("/")
    for _, container in job.containers(init=False):
        entries = container.get("env")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("name") == "GOOSE_MIGRATION_DIR":
                value_: Any = entry.get("value") or ""
                return str(value_).rstrip("/")
    return ""


@rulebook.of_release(
    "MIG022", "error", source="deployment-policy.ko.md, 배포 체크리스트", essential=False
)
def image(release: views.Release) -> Iterator[rulebook.Hit]:
    """A migration Job with another image than the pods': other migrations than those that the pods were built with."""
    running = {
        str(container.get("image"))
        for manifest in release.of_kind("Deployment", "StatefulSet", "DaemonSet", "Rollout")
        for _, container in manifest.containers(init=False)
    }
    if not running or not release.prepared:
        return
    for _, job in with_jobs(release):
        for pointer, container in job.containers(init=False):
            if str(container.get("image")) not in running:
                facts = {"object": job.label}
                yield rulebook.Hit(views.On(job, (*pointer, "image")), facts)
