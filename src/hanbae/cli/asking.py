"""What ``hanbae init`` asks on a terminal: all that nothing in a repository says, each with what it would guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import click

from hanbae import wording
from hanbae.cli.text import catalogue, escaping, narration

if TYPE_CHECKING:
    from hanbae.actions import adopt
    from hanbae.adopting import proposal

_MOST: Final = 12
"""Folders that are named in a question."""
_PLACEHOLDERS: Final = "{service}, {environment}"
_NAMES: Final = ("release", "application", "secret")
_QUESTIONS: Final = {
    "namespace": "adopt.ask-namespace",
    "release": "adopt.ask-release",
    "application": "adopt.ask-application",
    "secret": "adopt.ask-secret",
}

Check = Callable[[str], wording.Text | None]
"""Why an answer cannot be taken; None where it can."""


def first(looked: adopt.Looked) -> proposal.Stated:
    """Ask what everything else follows from: the environments, and which charts are services.

    Args:
        looked: What there is.
    """
    from hanbae.adopting import proposal

    proposed = looked.proposal
    environments: tuple[str, ...] = ()
    if "environments" in proposed.guesses:
        default = ", ".join(item.name for item in proposed.environments)
        environments = _list(_answer("adopt.ask-environments", {}, default, _are_environments))
    # Where there are Applications, what they deploy already says which charts are services.
    others = () if looked.survey.applications else (*proposed.exclude, *proposed.left_out)
    services: tuple[str, ...] = ()
    if others:
        folders = escaping.plain(", ".join(others[:_MOST]) + (", …" if others[_MOST:] else ""))
        answer = _answer("adopt.ask-services", {"folders": folders}, "", _are_among(others))
        services = _list(answer)
    return proposal.Stated(environments, services)


def rest(
    proposed: proposal.Proposal, repository: str | None, *, one_cluster: bool
) -> adopt.Decided:
    """Ask what else nothing says.

    Args:
        proposed: The proposal.
        repository: The repository's URL, where the command line has said it.
        one_cluster: Whether the command line has said that all environments share a cluster.
    """
    from hanbae.actions import adopt

    if repository is None and not proposed.repository:
        repository = _answer("adopt.ask-repository", {}, None, _is_repository)
    names: dict[str, str] = {}
    if "namespace" in proposed.guesses:
        names["namespace"] = _template("namespace", proposed.namespace)
        proposed = adopt.named(proposed, names)
    one_cluster = one_cluster or _is_one_cluster(proposed)
    branches, contexts = _of_environments(proposed, one_cluster=one_cluster)
    controls = [contexts.get(item.name, item.control) for item in proposed.environments]
    if one_cluster:
        controls = ["" for _ in controls]
    for field in _NAMES:
        if field in proposed.guesses:
            # Environments that share an Argo CD would share the Application object as well if its
            # name did not hold the environment.
            apart = field != "application" or len(set(controls)) == len(controls)
            names[field] = _template(field, getattr(proposed, field), apart=apart)
    values: tuple[str, ...] = ()
    if "values" in proposed.guesses:
        facts, default = {"known": _PLACEHOLDERS}, ", ".join(proposed.values)
        files = _answer("adopt.ask-values", facts, default, _are_values(_chart_folders(proposed)))
        values = _list(files)
    return adopt.Decided(
        repository,
        one_cluster=one_cluster,
        names=names,
        values=values,
        branches=branches,
        contexts=contexts,
        encrypted=frozenset(_encrypted(proposed)),
        registries="registries" in proposed.guesses,
    )


def _is_one_cluster(proposed: proposal.Proposal) -> bool:
    """Whether environments that would share their namespaces do share a cluster."""
    if not any("control" in item.guessed for item in proposed.environments):
        return False
    return click.confirm(_sentence("adopt.ask-one-cluster", {}), default=False, err=True)


def _of_environments(
    proposed: proposal.Proposal, *, one_cluster: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Environment → branch, and environment → kubeconfig context, where nothing says it."""
    branches, contexts = {}, {}
    for item in proposed.environments:
        facts = {"environment": item.name}
        if "branch" in item.guessed:
            key = f"environments.{item.name}.branch"
            branches[item.name] = _answer("adopt.ask-branch", facts, item.branch, _is_branch(key))
        if "control" in item.guessed and not one_cluster:
            contexts[item.name] = _answer("adopt.ask-context", facts, item.control)
    return branches, contexts


def _encrypted(proposed: proposal.Proposal) -> Iterator[str]:
    """The registries that speak TLS after all."""
    for host in proposed.registries if "registries" in proposed.guesses else ():
        question = _sentence("adopt.ask-plain-http", {"host": escaping.plain(host)})
        if not click.confirm(question, default=True, err=True):
            yield host


def _template(field: str, default: str, *, apart: bool = True) -> str:
    """A template for names.

    Args:
        field: ``namespace``, ``release``, ``application`` or ``secret``.
        default: What is guessed.
        apart: Whether environments are told apart without their name in it.
    """
    from hanbae.policy import service_rules

    key = f"services.{field}"

    def check(answer: str) -> wording.Text | None:
        faults = list(service_rules.template(key, field, answer))
        if not apart and "{environment}" not in answer:
            faults.append(("policy.template-lacks-environment", key, {"value": answer}))
        return _fault(iter(faults))

    placeholders = ("{release}, " if field == "secret" else "") + _PLACEHOLDERS
    return _answer(_QUESTIONS[field], {"known": placeholders}, default, check)


def _are_environments(answer: str) -> wording.Text | None:
    from hanbae.policy import naming

    names = _list(answer)
    for name in names:
        if not naming.is_service(name) or names.count(name) > 1:
            return wording.Text("policy.not-a-name", {"key": "environments", "value": _shown(name)})
    return None if names else wording.Text("adopt.answer-needed")


def _are_values(folders: tuple[str, ...]) -> Check:
    from hanbae.policy import service_rules

    def check(answer: str) -> wording.Text | None:
        files = _list(answer)
        if not files:
            return wording.Text("adopt.answer-needed")
        return _fault(service_rules.values("services.values", files, folders))

    return check


def _chart_folders(proposed: proposal.Proposal) -> tuple[str, ...]:
    """The folders that charts may be in by the policy that will be written: values files are relative to them."""
    from hanbae.policy import documents, service_rules

    named = {
        name: documents.NamedService(path=str(own["path"]))
        for name, own in proposed.named.items()
        if "path" in own
    }
    return service_rules.chart_folders(documents.Services(path=proposed.paths, named=named))


def _are_among(folders: tuple[str, ...]) -> Check:
    def check(answer: str) -> wording.Text | None:
        unknown = [folder for folder in _list(answer) if folder not in folders]
        facts = {"folder": _shown(unknown[0])} if unknown else {}
        return wording.Text("adopt.no-such-chart", facts) if unknown else None

    return check


def _is_branch(key: str) -> Check:
    from hanbae.policy import rules

    def check(answer: str) -> wording.Text | None:
        facts = {"key": key, "value": _shown(answer)}
        return None if rules.is_branch(answer) else wording.Text("policy.not-a-branch", facts)

    return check


def _is_repository(answer: str) -> wording.Text | None:
    from hanbae.masking import shapes

    return wording.Text("init.password-in-url") if shapes.in_url(answer) else None


def _fault(faults: Iterator[tuple[str, str, Mapping[str, str]]]) -> wording.Text | None:
    """The first fault as a sentence."""
    for text_id, key, facts in faults:
        printable = {name: _shown(value) for name, value in facts.items()}
        return wording.Text(text_id, {"key": key, **printable})
    return None


def _shown(answer: str) -> str:
    return escaping.plain(answer[:80])


def _list(answer: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in answer.split(",") if part.strip())


def _answer(
    text_id: str, facts: Mapping[str, str], default: str | None, check: Check | None = None
) -> str:
    """Ask until the answer can be taken; Enter takes what is guessed.

    Raises:
        click.Abort: The person has ended it, or there is nobody any more.
    """
    question = _sentence(text_id, facts)
    while True:
        answer: str = click.prompt(
            question, default=default, show_default=bool(default), err=True, type=str
        ).strip()
        problem = check(answer) if check is not None else None
        if problem is None:
            return answer
        narration.Narration().note(problem)


def _sentence(text_id: str, facts: Mapping[str, str]) -> str:
    return catalogue.sentence(wording.Text(text_id, dict(facts)))
