"""Writes into each environment's overlay how its services are reached: a Gateway with HTTPRoutes, or Ingresses."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from pathlib import Path
from typing import Final

from hanbae import errors, subjects
from hanbae.charts import block_lists, filling, gateways, overlay_files
from hanbae.policy import documents, loading
from hanbae.policy import environments as policy_environments
from hanbae.repository import generated_files, services, writing_files
from hanbae.results import files

FILE: Final = "gateway.yaml"
"""Beside the overlay's kustomization."""
_MARK: Final = "hanbae generate gateways"


def generate_gateways(
    directory: Path, *, environments: Collection[str] = (), check: bool = False
) -> tuple[files.FileChange, ...]:
    """Write the file of each environment that has a domain, and name it in the overlay's kustomization.

    Of an environment that has none any more, the file and its name in the kustomization are taken away.

    Args:
        directory: The repository or a folder in it.
        environments: Only these; all by default.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Raises:
        errors.WrongUse: An environment that the policy does not have, or that is not on Kubernetes.
        errors.FileFault: The policy has a fault; an environment with a domain has no overlay, or its kustomization is
            written so that it cannot be changed line by line.
    """
    loaded = services.opened(directory)
    folders = {
        name: _folder(loaded, name)
        for name in policy_environments.chosen(loaded.policy, environments)
    }
    texts = {
        f"{folder}/{FILE}": text
        for name, folder in folders.items()
        if folder and (text := manifest(loaded.policy, name, folder))
    }
    written = generated_files.write(
        loaded.root, texts, folders=[folder for folder in folders.values() if folder],
        mark=_MARK, check=check,
    )  # fmt: skip
    named = [
        _named(loaded.root, folder, is_there=f"{folder}/{FILE}" in texts, check=check)
        for folder in folders.values()
        if folder
    ]
    return (*written, *(change for change in named if change is not None))


def manifest(policy: documents.Policy, environment: str, folder: str) -> str:
    """The text of an environment's file; empty where it has no domain."""
    objects = gateways.objects(policy, environment)
    if not objects:
        return ""
    facts = {"command": _MARK, "environment": environment, "folder": folder}
    header = filling.filled("repository/gateway.yaml", policy.language, facts)
    return generated_files.manifest(header, objects)


def _folder(loaded: loading.Loaded, environment: str) -> str:
    """The overlay of an environment; empty where it neither has one nor needs one."""
    overlay = loaded.policy.environments[environment].overlay
    if overlay:
        return posixpath.normpath(overlay)
    if gateways.objects(loaded.policy, environment):
        place = loaded.place(f"environments.{environment}")
        raise errors.FileFault("overlay.none", place=place, environment=environment)
    return ""


def _named(root: Path, folder: str, *, is_there: bool, check: bool) -> files.FileChange | None:
    """The kustomization with the file among its resources, or without it."""
    texts = {
        path: text
        for path in (f"{folder}/{name}" for name in overlay_files.NAMES)
        if (text := writing_files.read(root, path)) is not None
    }
    path = overlay_files.path(folder, texts)
    if path not in texts:
        if not is_there:
            return None
        place = subjects.Place(folder)
        raise errors.FileFault("gateway.no-kustomization", place=place, folder=folder)
    listed = overlay_files.resources(path, texts[path])
    # The name is there if and only if the file is: Kustomize refuses to build with a resource that
    # is missing.
    if (FILE in listed) == is_there:
        return None
    if is_there:
        text = block_lists.edited(texts[path], "resources", path, added=[[FILE]])
    else:
        replaced = {index: None for index, name in enumerate(listed) if name == FILE}
        text = block_lists.edited(texts[path], "resources", path, replaced=replaced)
    (change,) = writing_files.place(root, {path: text}, overwrite=True, check=check)
    return change
