"""The kustomizations of environments, brought in line with the policy item by item.

An overlay is hanbae's where it builds on the base that ``hanbae init`` writes; what else a team has put into it stays.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hanbae import errors, libyaml, patterns, subjects
from hanbae.charts import block_lists, founding
from hanbae.charts.manifest_files import Reason, Updated
from hanbae.policy import documents, environments, labels, naming

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""File names of a kustomization, in the order in which Kustomize looks for them."""

_LABEL: Final = patterns.lazy(rf"\s*(?:- pairs: *)?{re.escape(labels.ENVIRONMENT)}: [a-z0-9-]+")
_RENAMING: Final = ("/metadata/name", "/metadata/namespace")
_OWN: Final = {"apiVersion", "kind", "resources", "labels", "patches"}


def of_policy(policy: documents.Policy) -> dict[str, str]:
    """Environment on Kubernetes → folder of its overlay, for those that have one."""
    folders = {}
    for name in environments.on_kubernetes(policy):
        overlay = policy.environments[name].overlay
        if overlay:
            folders[name] = posixpath.normpath(overlay)
    return folders


def is_kustomization(path: str) -> bool:
    """Whether a path is that of a kustomization."""
    return posixpath.basename(path) in NAMES


def path(folder: str, texts: Mapping[str, str]) -> str:
    """The kustomization of a folder: the one that is there, else the one to be written."""
    paths = [f"{folder}/{name}" for name in NAMES]
    return next((path for path in paths if path in texts), paths[0])


def resources(path: str, text: str) -> tuple[str, ...]:
    """What a kustomization builds on.

    Raises:
        hanbae.errors.FileFault: It is no YAML, or its ``resources`` are no list.
    """
    return tuple(str(item.data) for item in block_lists.read(text, "resources", path))


def updated(
    policy: documents.Policy, environment: str, folder: str, path: str, text: str
) -> Updated:
    """The kustomization of an environment as the policy asks for it, and what in it is otherwise.

    Args:
        policy: The policy.
        environment: Its name.
        folder: The folder of its overlay.
        path: The kustomization.
        text: What it is.

    Raises:
        hanbae.errors.FileFault: It is no YAML, or is written so that it cannot be changed line by line.
    """
    if not _builds_on_base(folder, resources(path, text)):
        return text, ()  # the team's own
    labelled, of_label = _labelled(environment, path, text)
    # The label may have moved the lines of the patches, which are told as they are in the file.
    lines = [item.line for item in block_lists.read(text, "patches", path)]
    renamed, of_suffix = _renamed(policy, environment, path, labelled, lines)
    return renamed, (*of_label, *of_suffix)


def left(policy: documents.Policy, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Overlays that hanbae wrote for an environment that has another one by now, or is none of the policy's.

    Returns:
        Path of the kustomization, and the environment that it says it is for.
    """
    folders = set(of_policy(policy).values())
    for path in sorted(texts):
        folder = posixpath.dirname(path)
        if not is_kustomization(path) or folder in folders or folder == founding.BASE:
            continue
        content = libyaml.mapping(texts[path]) or {}
        environment = next(_environments(content), None)
        listed = content.get("resources")
        named = map(str, listed) if isinstance(listed, list) else ()
        if environment is not None and _builds_on_base(folder, tuple(named)):
            yield path, environment


def is_untouched(text: str) -> bool:
    """Whether a kustomization holds only what hanbae writes into one."""
    content = libyaml.mapping(text)
    if content is None or not content.keys() <= _OWN:
        return False
    built, pairs, patches = (content.get(key) or [] for key in ("resources", "labels", "patches"))
    if not all(isinstance(items, list) for items in (built, pairs, patches)):
        return False
    return (
        len(built) == 1
        and len(pairs) == len(list(_environments(content))) == 1
        and pairs[0] == {"pairs": {labels.ENVIRONMENT: next(_environments(content))}}
        and all(_renaming(patch) is not None for patch in patches)
    )


def _builds_on_base(folder: str, listed: tuple[str, ...]) -> bool:
    return any(
        posixpath.normpath(posixpath.join(folder, resource)) == founding.BASE for resource in listed
    )


def _environments(content: Mapping[str, Any]) -> Iterator[str]:
    """The environments that a kustomization labels its objects with."""
    entries = content.get("labels")
    for entry in entries if isinstance(entries, list) else ():
        pairs = entry.get("pairs") if isinstance(entry, dict) else None
        name = pairs.get(labels.ENVIRONMENT) if isinstance(pairs, dict) else None
        if isinstance(name, str):
            yield name


def _labelled(environment: str, path: str, text: str) -> Updated:
    """With the label of the environment on everything."""
    for item in block_lists.read(text, "labels", path):
        for name in _environments({"labels": [item.data]}):
            if name == environment:
                return text, ()
            lines = text.splitlines(keepends=True)
            rows = range(item.line - 1, len(lines))
            row = next((row for row in rows if _LABEL.fullmatch(lines[row].rstrip())), None)
            if row is None:
                place = subjects.Place(path, item.line)
                raise errors.FileFault("values.cannot-edit", place=place)
            lines[row] = lines[row].replace(f": {name}", f": {environment}", 1)
            reason = Reason("label", {"value": name, "wanted": environment}, row + 1)
            return "".join(lines), (reason,)
    added = ["pairs:", f"  {labels.ENVIRONMENT}: {environment}"]
    reason = Reason("unlabelled", {"wanted": environment})
    return block_lists.edited(text, "labels", path, added=[added]), (reason,)


def _renamed(
    policy: documents.Policy, environment: str, path: str, text: str, places: Sequence[int]
) -> Updated:
    """With a patch for each namespace that the environment's suffix renames, and for no other.

    Args:
        policy: The policy.
        environment: Its name.
        path: The kustomization.
        text: What it is to be so far.
        places: The line of each of its patches in the file.
    """
    expected = {}
    for target, operation in founding.renamings(policy, environment).items():
        item = libyaml.load(f"{target}\n{operation}\n")
        name, value = _renaming(item) or ("", "")
        expected[_key(item)] = (name, value, [target, operation])
    reasons: list[Reason] = []
    replaced: dict[int, list[str] | None] = {}
    present = set()
    for index, item in enumerate(block_lists.read(text, "patches", path)):
        renaming = _renaming(item.data)
        if renaming is None:
            continue
        name, value = renaming
        key = _key(item.data)
        if key not in expected and value == _suffixed(policy, name, environment):
            continue  # for objects of the team's own in that namespace
        # Two patches of the same target would both be applied; the first one is kept.
        if key not in expected or key in present:
            reasons.append(
                Reason("suffix-left", {"namespace": name, "value": value}, places[index])
            )
            replaced[index] = None
            continue
        present.add(key)
        _, renamed, lines = expected[key]
        if value != renamed:
            facts = {"namespace": name, "value": value, "wanted": renamed}
            reasons.append(Reason("suffix", facts, places[index]))
            replaced[index] = lines
    added = [lines for key, (_, _, lines) in expected.items() if key not in present]
    for key, (name, value, _) in expected.items():
        if key not in present:
            reasons.append(Reason("suffix-missing", {"namespace": name, "wanted": value}))
    return block_lists.edited(text, "patches", path, replaced=replaced, added=added), _once(reasons)


def _suffixed(policy: documents.Policy, name: str, environment: str) -> str | None:
    """A namespace of the policy as the environment's suffix renames it; None where nothing is renamed."""
    suffix = policy.environments[environment].namespace_suffix
    renamed = naming.suffixed(policy, name, environment)
    return renamed if suffix and name in founding.spaces(policy) else None


def _renaming(item: Any) -> tuple[str, str] | None:
    """Which namespace a patch of hanbae's renames, and what to; None for any other patch."""
    target = item.get("target") if isinstance(item, dict) else None
    if not isinstance(target, dict) or item.keys() != {"target", "patch"}:
        return None
    namespace = target.get("namespace") if target.keys() == {"namespace"} else None
    if target.keys() == {"kind", "name"} and target["kind"] == "Namespace":
        namespace = target["name"]
    try:
        operations = libyaml.load(str(item["patch"]))
    except libyaml.Fault:
        return None
    if not isinstance(namespace, str) or not isinstance(operations, list) or len(operations) != 1:
        return None
    operation = operations[0]
    if not isinstance(operation, dict) or operation.get("op") != "replace":
        return None
    return (namespace, str(operation.get("value"))) if operation.get("path") in _RENAMING else None


def _once(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Each reason at its first line: a namespace is renamed by two patches."""
    first: dict[str, Reason] = {}
    for reason in reasons:
        first.setdefault(f"{reason.variant} {reason.facts}", reason)
    return tuple(first.values())


def _key(item: Any) -> str:
    return json.dumps(item["target"], sort_keys=True)
