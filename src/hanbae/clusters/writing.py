"""The only place from which a user's cluster is changed.

Every change names what it rests on: a deletion the uid of the object that it means, a replacement the version that was
read, so that nobody else's change is lost.
An answer that does not come is not taken for a failure: :class:`hanbae.clusters.answers.Unanswered` tells the caller to
read back before doing anything again.
Only ``engines``, ``clusters.probes`` and ``clusters.leases`` may import this; a contract of the linter says so.
"""

from __future__ import annotations

from typing import Final, Literal

from hanbae.clusters import answers, connections, kinds

MANAGER: Final = kinds.MANAGER

_UNTYPED: Final = "failed to create typed patch object"
"""How the API server says, with status 500, that an object that is applied does not have the fields of its kind."""

Propagation = Literal["Background", "Foreground", "Orphan"]


async def create(
    cluster: connections.Cluster, kind: kinds.Kind, created: kinds.Object, *, dry: bool = False
) -> kinds.Object:
    """Create an object; a field that the API server does not know is refused rather than dropped.

    Args:
        cluster: The cluster.
        kind: The object's kind.
        created: The object.
        dry: Go through everything, admission included, and store nothing.

    Returns:
        The object as the API server has stored it.

    Raises:
        hanbae.clusters.answers.Exists: There is one of this name.
        hanbae.clusters.answers.Denied: Admission refused it.
        hanbae.clusters.answers.Invalid: It is not valid.
        hanbae.clusters.answers.Unanswered: It may or may not have been created.
    """
    metadata = created["metadata"]
    namespace = metadata.get("namespace", "")
    call = cluster.describe("create", kind, namespace, name=metadata.get("name", ""))
    params = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    params |= {"dryRun": "All"} if dry else {}
    stored = await cluster.ask(
        call, "POST", kind.path(namespace), params=params, body=kind.complete(created)
    )
    answers.check_object(stored, kind.kind, call)
    return stored


async def delete(
    cluster: connections.Cluster,
    kind: kinds.Kind,
    namespace: str,
    name: str,
    *,
    uid: str | None = None,
    propagation: Propagation = "Background",
) -> bool:
    """Delete an object.

    Args:
        cluster: The cluster.
        kind: The object's kind.
        namespace: Its namespace.
        name: Its name.
        uid: The uid of the one that is meant; None for whichever is there.
        propagation: What becomes of the objects that it owns.

    Returns:
        False when it was not there.

    Raises:
        hanbae.clusters.answers.Conflict: The one that is there has another uid.
        hanbae.clusters.answers.Unanswered: It may or may not have been deleted.
    """
    options: kinds.Object = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        # Always said: for Jobs the API server's own default is to leave their pods behind.
        "propagationPolicy": propagation,
    }
    if uid is not None:
        options["preconditions"] = {"uid": uid}
    call = cluster.describe("delete", kind, namespace, name=name)
    try:
        await cluster.send(call, "DELETE", kind.path(namespace, name), body=options)
    except answers.Missing:
        return False
    return True


async def replace(
    cluster: connections.Cluster, kind: kinds.Kind, changed: kinds.Object
) -> kinds.Object:
    """Put an object in the place of the version that was read.

    Args:
        cluster: The cluster.
        kind: The object's kind.
        changed: The object as it was read, with its resourceVersion, and changed.

    Raises:
        ValueError: It has no resourceVersion: that would overwrite whatever is there.
        hanbae.clusters.answers.Conflict: It has changed since it was read.
        hanbae.clusters.answers.Missing: It is no longer there.
        hanbae.clusters.answers.Unanswered: It may or may not have been replaced.
    """
    metadata = changed["metadata"]
    if not metadata.get("resourceVersion"):
        raise ValueError("an object is replaced with the resourceVersion that was read")
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    call = cluster.describe("update", kind, namespace, name=name)
    params = {"fieldManager": MANAGER}
    stored = await cluster.ask(
        call, "PUT", kind.path(namespace, name), params=params, body=kind.complete(changed)
    )
    answers.check_object(stored, kind.kind, call)
    return stored


async def merge_patch(
    cluster: connections.Cluster,
    kind: kinds.Kind,
    namespace: str,
    name: str,
    patch: kinds.Object,
) -> kinds.Object:
    """Change the fields that the patch names; None removes one (RFC 7386).

    Raises:
        hanbae.clusters.answers.Missing: It is not there.
        hanbae.clusters.answers.Conflict: The patch names a resourceVersion, and it has changed since.
        hanbae.clusters.answers.Unanswered: It may or may not have been changed.
    """
    call = cluster.describe("patch", kind, namespace, name=name)
    stored = await cluster.ask(
        call,
        "PATCH",
        kind.path(namespace, name),
        params={"fieldManager": MANAGER},
        body=patch,
        content_type="application/merge-patch+json",
    )
    answers.check_object(stored, kind.kind, call)
    return stored


async def apply(
    cluster: connections.Cluster,
    kind: kinds.Kind,
    configuration: kinds.Object,
    *,
    manager: str = MANAGER,
    force: bool = False,
    dry: bool = False,
) -> kinds.Object:
    """Have the API server make an object what it is wanted to be (server-side apply); fields of others stay theirs.

    Args:
        cluster: The cluster.
        kind: The object's kind.
        configuration: The fields that are ours; those that were and are not in it any more go.
        manager: The field manager under which they are filed.
        force: Take fields from whoever manages them with another value, instead of being refused.
        dry: Go through everything, admission included, and store nothing.

    Returns:
        The object as it is stored, or as it would be.

    Raises:
        hanbae.clusters.answers.Conflict: Somebody else manages a field with another value.
        hanbae.clusters.answers.Denied: Admission refused it.
        hanbae.clusters.answers.Invalid: It is not valid.
        hanbae.clusters.answers.Missing: Its namespace is not there.
        hanbae.clusters.answers.Unanswered: It may or may not have been applied.
    """
    metadata = configuration["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    call = cluster.describe("patch", kind, namespace, name=name)
    params = {"fieldManager": manager, "fieldValidation": "Strict"}
    params |= {"force": "true"} if force else {}
    params |= {"dryRun": "All"} if dry else {}
    try:
        stored = await cluster.ask(
            call,
            "PATCH",
            kind.path(namespace, name),
            params=params,
            body=kind.complete(configuration),
            content_type="application/apply-patch+yaml",
        )
    except answers.Unanswered as error:
        # With this message the object was refused before anything was stored, whatever the status
        # says.
        if _UNTYPED not in str(error.text.facts.get("message")):
            raise
        raise answers.Invalid("cluster.invalid", place=None, **error.text.facts) from None
    answers.check_object(stored, kind.kind, call)
    return kind.complete(stored)
