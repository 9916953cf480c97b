"""``hanbae check``: every service in every environment against the rules, and where a person mends what they find."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from hanbae import wording
from hanbae.adopting import survey
from hanbae.apis import serving
from hanbae.charts import pools
from hanbae.checking import (
    acceptance,
    applied_migrations,
    beyond_files,
    changed_services,
    inspecting,
    inspection_worker,
    kustomize_builds,
    projects,
    rule_settings,
    schedules,
    searches,
    settling,
    whole_repository,
    workers,
)
from hanbae.planning import committed_kinds
from hanbae.policy import documents, environments, loading
from hanbae.repository import keeping, services
from hanbae.results import claims, findings
from hanbae.rules import own, rulebook, views


class About(Struct, frozen=True):
    """A rule, as far as reports tell of it.

    Attributes:
        title: Its title.
        why: Its reason.
        fix: What to do, in general.
        severity: How grave what it finds is.
        family: Name of its family.
        source: Where it comes from.
    """

    title: wording.Text
    why: wording.Text
    fix: wording.Text
    severity: findings.Severity
    family: str
    source: str


class Result(Struct, frozen=True):
    """What a check found.

    Attributes:
        findings: By file and line.
        services: The services that were checked.
        environments: The environments that they were checked in.
        rules: How many rules there were.
        accepted: What would be findings, but for the policy's ``rules:``, a comment beside them or the baseline.
        unprepared: What has not been begun, and was therefore not found fault with.
        about: The rules by code.
        folder: The policy's folder, from the clone's root, with a ``/`` at its end; empty for the root itself.
        searched: How far former commits were searched; None where nobody asked for it.
        elsewhere: Where charts are although the policy finds no service: their folders' globs; empty otherwise.
        is_policy_new: Whether the commit whose policy should count has none, so that of what is checked counts.
        unasked: Environment → why its cluster was not asked what it serves, although clusters were to be looked at.
        changed_files: The files that were changed since the commit of ``changed_since``; None without one.
    """

    findings: tuple[findings.Finding, ...]
    services: tuple[str, ...]
    environments: tuple[str, ...]
    rules: int
    accepted: acceptance.Acceptances = ()
    unprepared: tuple[inspecting.Unprepared, ...] = ()
    about: Mapping[str, About] = {}
    folder: str = ""
    searched: searches.Searched | None = None
    changed_files: frozenset[str] | None = None
    elsewhere: tuple[str, ...] = ()
    is_policy_new: bool = False
    unasked: Mapping[str, wording.Text] = {}


class Request(Struct, frozen=True):
    """What is to be checked, and by whose rules.

    Attributes:
        services: The services to check; empty for all.
        environment: The one environment of which findings are wanted; None for all.
        revision: A commit to check instead of the working tree.
        policy_from: A commit whose policy, baseline and comments count instead of those that are checked, so that a
            branch cannot exempt itself.
        changed_since: A commit; only services that were touched since then are checked.
        baseline: Whether the baseline counts.
        history: How former commits are searched for plaintext secrets; None for not at all.
        live: Which clusters' Applications are held against the policy, and asked what they serve and what was deployed;
            None for none.
    """

    services: tuple[str, ...] = ()
    environment: str | None = None
    revision: str | None = None
    policy_from: str | None = None
    changed_since: str | None = None
    baseline: bool = True
    history: beyond_files.History | None = None
    live: beyond_files.Live | None = None


async def check(
    directory: Path,
    request: Request | None = None,
    *,
    progress: schedules.Progress | None = None,
    cache: keeping.Cache | None = None,
) -> Result:
    """Check services and the repository around them.

    Args:
        directory: The folder of the policy, or one below it.
        request: What is to be checked; None for everything as it is in the working tree.
        progress: Called whenever a service has been inspected.
        cache: Results of earlier runs; None to check everything anew.

    Raises:
        hanbae.errors.WrongUse: No policy, no such revision, service or environment.
        hanbae.errors.FileFault: The policy or the baseline has a fault.
        hanbae.errors.Unreachable: A cluster that is to be looked at did not answer.
    """
    request = request or Request()
    async with pools.opened() as pool, workers.opened() as idle:
        # Where nothing is kept, much is going to be inspected: what that needs starts up in processes of its own
        # while this one reads the repository. Else it may be that nothing has to be rendered.
        if cache is None or cache.is_empty():
            await pool.warm()
            narrowed = request.services or request.changed_since
            await idle.warm(0 if narrowed else workers.foreseen(directory))
        return await _checked(directory, request, pool, idle, progress=progress, cache=cache)


async def _checked(
    directory: Path,
    request: Request,
    pool: pools.Pool,
    idle: workers.Idle,
    *,
    progress: schedules.Progress | None,
    cache: keeping.Cache | None,
) -> Result:
    project, base = projects.opened(directory, request.revision, request.policy_from)
    rule_settings.require_codes(project.policy, project.places)
    if project.proposal is not None:
        rule_settings.require_codes(project.proposal.policy, project.proposal.places)
    _check_names(project, request)
    # Before anything is asked of the repository: what was worked out once stays with the project.
    added = dict(committed_kinds.of(project.policy, project.tree))
    project = dataclasses.replace(project, added=added)
    checked_services, changed_files = _checked_services(directory, project, request)
    served, unasked = await _served(project, request, checked_services)
    if served:
        project = dataclasses.replace(project, served=served)
    rules = own.held(project.policy)
    task = _task(directory, request, project, cache)
    inspection = await whole_repository.inspect(
        project,
        checked_services,
        rules,
        progress=progress,
        cache=cache,
        task=task,
        pool=pool,
        idle=idle,
    )
    narrowed = bool(request.services or request.changed_since)
    # None also looks at Applications of services that are gone, which a narrowed check is not
    # about.
    inspection, searched = await _with_what_is_beyond_files(
        directory, request, project, inspection, checked_services if narrowed else None
    )
    root = loading.find(directory).parent
    claimed = await _claimed(project, request, inspection.findings)
    judged = applied_migrations.judged(project, root, inspection.findings, claimed)
    inspection = msgspec.structs.replace(inspection, findings=judged)
    unsought = beyond_files.unsought(
        request.history,
        request.live,
        narrowed=narrowed or request.environment is not None,
        rules=rules,
    )
    settled = settling.settle(
        project,
        inspection,
        checked_services,
        base=base,
        baseline=request.baseline,
        unsought=unsought,
    )
    environments = project.environments
    if request.environment is not None:
        environments = (request.environment,)
        settled = acceptance.narrowed(settled, request.environment)
    unprepared = tuple(_within(inspection.unprepared, environments))
    return Result(
        settled.findings,
        checked_services,
        environments,
        len(rules),
        settled.accepted,
        unprepared,
        _abouts(project.policy),
        projects.prefix(project.tree),
        searched,
        changed_files,
        () if project.services else survey.chart_globs(project.tree),
        is_policy_new=request.policy_from is not None and base is None,
        unasked=unasked,
    )


def _task(
    directory: Path, request: Request, project: views.Project, cache: keeping.Cache | None
) -> inspection_worker.Task:
    """What further processes are told of the check."""
    return inspection_worker.Task(
        os.fsencode(directory),
        request.revision,
        request.policy_from,
        project.now,
        os.fsencode(cache.folder) if cache is not None else None,
        dict(project.served),
        dict(project.added or {}),
    )


def _checked_services(
    directory: Path, project: views.Project, request: Request
) -> tuple[tuple[str, ...], frozenset[str] | None]:
    """The services that are checked, and the files that were changed, where only these services count."""
    without_chart = kustomize_builds.without_chart(project)
    names = request.services or (*project.services, *without_chart)
    if request.changed_since is None:
        return names, None
    before = projects.tree_at(loading.find(directory).parent, request.changed_since)
    changed_files = frozenset(changed_services.changed(before, project.tree))
    touched = changed_services.services(project, changed_files)
    # Services without a chart are always kept: which of them were touched is not known here.
    return tuple(name for name in names if name in {*touched, *without_chart}), changed_files


async def _served(
    project: views.Project, request: Request, services: Iterable[str]
) -> tuple[dict[str, serving.Cluster], dict[str, wording.Text]]:
    """What clusters say of themselves where charts are rendered for that, and why some of them say nothing."""
    if request.live is None or set(project.services).isdisjoint(services):
        return {}, {}
    from hanbae.deploying import (
        cluster_versions,
    )  # only who looks at clusters waits for its imports

    names = project.environments if request.environment is None else (request.environment,)
    return await cluster_versions.of_environments(
        project.policy, names, context=request.live.context, kubeconfig=request.live.kubeconfig
    )


async def _with_what_is_beyond_files(
    directory: Path,
    request: Request,
    project: views.Project,
    inspection: inspecting.Inspection,
    services: Sequence[str] | None,
) -> tuple[inspecting.Inspection, searches.Searched | None]:
    """The inspection of the files with the findings in former commits and in clusters, and how far was searched."""
    collected, searched = list(inspection.findings), None
    if request.history is not None:
        secrets, searched = beyond_files.searched(directory, request.history, request.revision)
        collected += secrets
    if request.live is not None:
        collected += await beyond_files.live(project, request.live, services, request.environment)
    return msgspec.structs.replace(inspection, findings=tuple(collected)), searched


async def _claimed(
    project: views.Project, request: Request, collected: Iterable[findings.Finding]
) -> tuple[claims.Claim, ...]:
    """Where clusters are looked at, the last deployments of the services whose migrations were changed."""
    concerned = applied_migrations.concerned(collected)
    if request.live is None or not concerned:
        return ()
    from hanbae.deploying import (
        last_deployments,
    )  # only who looks at clusters waits for its imports

    by_argocd = environments.deployed_by_argocd(project.policy)
    narrowed = request.environment
    return await last_deployments.of_services(
        project.policy,
        concerned,
        [name for name in by_argocd if narrowed in {None, name}],
        context=request.live.context,
        kubeconfig=request.live.kubeconfig,
    )


def _abouts(policy: documents.Policy) -> dict[str, About]:
    rules = (*rulebook.rules().values(), *own.rules(policy))
    return {rule.code: _about(rule) for rule in rules}


def _about(rule: rulebook.Rule) -> About:
    title, why, fix = (rule.text(part) for part in ("title", "why", "fix"))
    return About(title, why, fix, rule.severity, rule.family, rule.source)


def _check_names(project: views.Project, request: Request) -> None:
    present = (*project.services, *kustomize_builds.without_chart(project))
    revisions = [request.revision] if request.revision else []
    source = services.source(project.policy, *revisions)
    services.require(request.services, present, source=source)
    if request.environment is not None:
        environments.require(request.environment, project.policy)


def _within(
    unprepared: Iterable[inspecting.Unprepared], environments: Sequence[str]
) -> Iterator[inspecting.Unprepared]:
    for service in unprepared:
        names = tuple(name for name in service.environments if name in environments)
        if names:
            yield inspecting.Unprepared(service.service, names)
