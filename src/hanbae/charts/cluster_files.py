"""What of the ``k8s`` folder follows from the policy, held to it after either was edited.

``hanbae init`` lays these files once and the team goes on with them: limits of its own, further labels, further
resources in an overlay.
So only what the policy decides is compared here, and only that is changed: namespaces, their pod security and purpose,
which of them have limits, the environment that an overlay is for, and its suffix.
A repository that hanbae did not lay has none of it, and nothing is said of it.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae.charts import founding, manifest_files, overlay_files
from hanbae.policy import documents, environments, labels

_USUAL: Final = "k8s/overlays"


class Update(Struct, frozen=True):
    """A file that is not what the policy asks for.

    Attributes:
        path: Relative to the repository.
        text: What it should be; None for one that should not be there.
        reasons: What in it contradicts the policy; empty for a file that is missing.
        edited: Whether a file that should not be there holds what hanbae did not write.
    """

    path: str
    text: str | None
    reasons: tuple[manifest_files.Reason, ...] = ()
    edited: bool = False


def folders(policy: documents.Policy) -> tuple[str, ...]:
    """Where such files may be: the base, and the folders in which overlays stand."""
    parents = {posixpath.dirname(folder) for folder in overlay_files.of_policy(policy).values()}
    return (founding.BASE, *sorted({_USUAL, *parents} - {""}))


def is_one(path: str) -> bool:
    """Whether a path can be that of such a file."""
    own = (founding.NAMESPACES, founding.LIMITS)
    return path in own or overlay_files.is_kustomization(path)


def is_laid(texts: Mapping[str, str]) -> bool:
    """Whether hanbae laid these files: a namespace has the policy's purpose, or an overlay its label.

    Args:
        texts: Path → text, of the files below :func:`folders`.
    """
    if labels.PURPOSE in texts.get(founding.NAMESPACES, ""):
        return True
    return any(
        labels.ENVIRONMENT in text and overlay_files.is_kustomization(path)
        for path, text in texts.items()
    )


def updates(policy: documents.Policy, texts: Mapping[str, str]) -> Iterator[Update]:
    """The files that are not what the policy asks for, with what they should be.

    Args:
        policy: The policy.
        texts: Path → text, of the files below :func:`folders`.

    Raises:
        hanbae.errors.FileFault: A file is no YAML, or is written so that it cannot be changed line by line.
    """
    yield from _of_base(policy, texts)
    for name, folder in overlay_files.of_policy(policy).items():
        path = overlay_files.path(folder, texts)
        present = texts.get(path)
        if present is None:
            yield Update(path, founding.overlay_text(policy, name, folder))
            continue
        text, reasons = overlay_files.updated(policy, name, folder, path, present)
        if reasons:
            yield Update(path, text, reasons)
    for path, environment in overlay_files.left(policy, texts):
        reason = manifest_files.Reason("overlay-left", {"environment": environment})
        edited = not overlay_files.is_untouched(texts[path])
        yield Update(path, None, (reason,), edited)


def _of_base(policy: documents.Policy, texts: Mapping[str, str]) -> Iterator[Update]:
    kustomization = overlay_files.path(founding.BASE, texts)
    whole = functools.cache(lambda: founding.cluster_files(policy))  # mostly nothing is missing
    if kustomization not in texts:
        missing: tuple[str, ...] = (founding.NAMESPACES, founding.LIMITS)
        yield Update(kustomization, whole()[f"{founding.BASE}/kustomization.yaml"])
    else:
        # A team that has taken one of them out of the kustomization has put something else in its place.
        listed = overlay_files.resources(kustomization, texts[kustomization])
        missing = tuple(
            path
            for path in (founding.NAMESPACES, founding.LIMITS)
            if posixpath.basename(path) in listed
        )
    for path in (founding.NAMESPACES, founding.LIMITS):
        if path not in texts:
            if path in missing:
                yield Update(path, whole()[path])
            continue
        update = manifest_files.namespaces if path == founding.NAMESPACES else manifest_files.limits
        text, reasons = update(policy, path, texts[path])
        if reasons:
            yield Update(path, text, reasons)


def environments_without_overlay(policy: documents.Policy) -> tuple[str, ...]:
    """The environments on Kubernetes for which the policy names no overlay, so that nothing is written for them."""
    names = environments.on_kubernetes(policy)
    return tuple(name for name in names if not policy.environments[name].overlay)
