"""Where a branch would lead whoever works with it, against the policy that counts.

A policy names the servers, contexts and controllers that a user's tokens and plaintext go to.
``hanbae check --policy-from`` does not follow the branch's own, so what it would change there is a finding: it would be
followed by everybody as soon as the branch is merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec

from hanbae import errors, subjects
from hanbae.policy import documents, naming
from hanbae.repository import trees
from hanbae.rules import rulebook, valuesfiles, views
from hanbae.rules.secrets import certificates as certificate_files
from hanbae.sealing import certificates, pins

LEADING: Final = frozenset(
    {
        "argocd.repository",
        "argocd.namespace",
        "argocd.remote",
        "argocd.project",
        "argocd.server",
        "argocd.plaintext",
        "argocd.kinds",
        "services.path",
        "services.exclude",
        "services.namespace",
        "services.release",
        "services.application",
        "services.secret",
        "services.values",
        "services.directory",
        "services.named.*.path",
        "services.named.*.namespace",
        "services.named.*.release",
        "services.named.*.application",
        "services.named.*.secret",
        "services.named.*.values",
        "services.named.*.directory",
        "namespaces.*.services",
        "namespaces.*.pod_security",
        "environments.*.platform",
        "environments.*.branch",
        "environments.*.values",
        "environments.*.engine",
        "environments.*.control",
        "environments.*.workload",
        "environments.*.namespace_suffix",
        "environments.*.transport",
        "secrets.provider",
        "secrets.scope",
        "secrets.controller",
        "history.url",
        "registries.*.plain_http",
        "registries.*.mirrors",
    }
)
"""Keys of the policy by which tokens, plaintext, records or rights go somewhere; ``*`` is any name."""

GUARDS: Final = frozenset({"INP002", "INP003", "INP004", "ENV018"})
"""Rules that keep a branch from exempting itself."""

_LONGEST: Final = 200
_BY_NAME: Final = frozenset({"namespaces", "environments", "registries", "services.named"})
_SOURCE: Final = "docs/security.md"


@rulebook.of_project("ENV018", "error", source=_SOURCE, essential=True)
def leads_elsewhere(project: views.Project) -> Iterator[rulebook.Hit]:
    """A branch whose policy leads elsewhere, or that pins another certificate."""
    proposal = project.proposal
    if proposal is None:
        return
    counting, proposed = _leads(project.policy), _leads(proposal.policy)
    # An environment that only one of the two policies has is compared with one for which nothing is
    # said.
    unset = _leaves("", "", {"environments": {"*": msgspec.to_builtins(documents.Environment())}})
    defaults = dict(unset)
    for key in sorted({*counting, *proposed}):
        default = defaults.get(_pattern(key), "-")
        now, before = proposed.get(key, default), counting.get(key, default)
        if now != before and not _of_removed_environment(key, proposal.policy):
            yield rulebook.Hit(proposal.place(key), {"key": key, "value": now, "counting": before})
    yield from _rules(project.policy, proposal)
    yield from _commands(project.policy, proposal)
    for environment in project.environments:
        yield from _pins(project, proposal.base, environment)
    yield from _files(project, proposal.base)


def _rules(counting: documents.Policy, proposal: views.Proposal) -> Iterator[rulebook.Hit]:
    """Settings by which a branch would no longer be told of what leads elsewhere or exempts itself."""
    present = set(counting.rule_settings.values())
    for number, entry in proposal.policy.rule_settings.items():
        if entry.code in GUARDS and entry.severity != "error" and entry not in present:
            facts = {"key": f"rules[{number}]", "value": f"{entry.code} {entry.severity}"}
            yield rulebook.Hit(proposal.place(f"rules[{number}].code"), facts | {"counting": "-"})


def _commands(counting: documents.Policy, proposal: views.Proposal) -> Iterator[rulebook.Hit]:
    """Commands that would run on the machine of whoever deploys."""
    counted = {command for _, command in counting.checklists.commands}
    for key, command in proposal.policy.checklists.commands:
        if command not in counted:
            facts = {"key": key, "value": " ".join(command)[:_LONGEST]}
            yield rulebook.Hit(proposal.place(key), facts | {"counting": "-"})


def _leads(policy: documents.Policy) -> dict[str, str]:
    """Key → value, for the keys that lead somewhere."""
    return dict(_leaves("", "", msgspec.to_builtins(policy)))


def _leaves(key: str, pattern: str, node: Any) -> Iterator[tuple[str, str]]:
    if pattern in LEADING:
        if isinstance(node, Mapping):
            node = [f"{name}: {value}" for name, value in sorted(node.items())]
        text = ", ".join(map(str, node)) if isinstance(node, list | tuple) else str(node or "")
        yield key, text[:_LONGEST] or "-"
    elif isinstance(node, Mapping):
        for name, value in node.items():
            below = "*" if pattern in _BY_NAME else name
            yield from _leaves(f"{key}.{name}".lstrip("."), f"{pattern}.{below}".lstrip("."), value)


def _pattern(key: str) -> str:
    first, *rest = key.split(".")
    # The name of a registry has dots in it; what is set for any name is one level below.
    return ".".join([first, "*", rest[-1]]) if first in _BY_NAME else key


def _of_removed_environment(key: str, policy: documents.Policy) -> bool:
    """Whether a key is of an environment that the branch takes out, which leads nowhere any more."""
    first, *rest = key.split(".")
    return first == "environments" and rest[0] not in policy.environments


def _pins(project: views.Project, base: trees.Tree, environment: str) -> Iterator[rulebook.Hit]:
    """Pins that the base has otherwise, and new ones that it does not know although it knows some."""
    paths = {
        name: str(naming.values_file(project.policy, name, environment))
        for name in project.services
    }
    before = {path: _pinned(base, path)[0] for path in paths.values()}
    known_pins = {pin for pinned in before.values() for pin in pinned.values()}
    for service, path in paths.items():
        now, file = _pinned(project.tree, path)
        if file is None:  # a service that is taken out
            continue
        for keys in sorted({*before[path], *now}):
            pin, former = now.get(keys, ""), before[path].get(keys, "")
            if _is_accepted(keys, pin, former, known_pins):
                continue
            facts = {"environment": environment, "service": service, "value": pin or "-"}
            facts["counting"] = former or min(known_pins)
            yield rulebook.Hit(file.place(keys), facts, "pin")


def _is_accepted(keys: tuple[str, ...], pin: str, former: str, known_pins: Collection[str]) -> bool:
    """Whether a pin is as it was, or one that the base knows, or the very first of the environment."""
    if pin == former or (not former and not known_pins):
        return True
    # It decides what the next value is sealed for, so any change of it is told, be it to a
    # certificate that the base knows from elsewhere.
    if keys == pins.CERTIFICATE and former:
        return False
    return not pin or pin in known_pins


def _pinned(
    tree: trees.Tree, path: str
) -> tuple[dict[tuple[str, ...], str], valuesfiles.ValuesFile | None]:
    """Keys of a values file → fingerprint that is remembered there, and the places in the file; None without one."""
    data = _read(tree, path)
    if not data:
        return {}, None
    nothing = None, valuesfiles.ValuesFile(path, {})
    content, file = next(valuesfiles.documents(data, path), nothing)
    section = content.get(pins.CERTIFICATE[0]) if isinstance(content, Mapping) else None
    if not isinstance(section, Mapping):
        return {}, file
    pinned: dict[tuple[str, ...], Any] = {pins.CERTIFICATE: section.get(pins.CERTIFICATE[1])}
    single = section.get(pins.PINS[1])
    if isinstance(single, Mapping):
        pinned |= {(*pins.PINS, str(key)): pin for key, pin in single.items()}
    return {keys: str(pin)[:_LONGEST] for keys, pin in pinned.items() if pin}, file


def _files(project: views.Project, base: trees.Tree) -> Iterator[rulebook.Hit]:
    """Files with a certificate that the base has with another one: values are sealed with what is in them."""
    for path in project.tree.files():
        if not path.endswith(certificate_files.SUFFIXES):
            continue
        former = _fingerprint(base, path)
        now = _fingerprint(project.tree, path)
        if former and now != former:
            facts = {"value": now or "-", "counting": former}
            yield rulebook.Hit(subjects.Place(path), facts, "file")


def _fingerprint(tree: trees.Tree, path: str) -> str:
    try:
        return certificates.parse(_read(tree, path), path).fingerprint
    except errors.Error:
        return ""


def _read(tree: trees.Tree, path: str) -> bytes:
    try:
        return tree.read(path) or b""
    except errors.FileFault:
        return b""
