"""What the deployer may change in an Application and in an ApplicationSet, in CEL.

The shape of an operation is that of :func:`hanbae.argo.operations.asking`, field by field, so that a sync can neither
deploy something else than the Application's own source nor leave the migrations out.
``initiatedBy`` must name the one who asks: what Argo CD's history says of a deployment cannot be forged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hanbae.argo import applications, operations, rulings
from hanbae.clusters import kinds

VARIABLES: Final = {
    "sync": "object.?operation.?sync.orValue({})",
    "starts": "object.?operation.hasValue() && object.?operation != oldObject.?operation",
    "phaseBefore": "oldObject.?status.?operationState.?phase.orValue('')",
    "status": "object.?status.orValue({})",
    "statusBefore": "oldObject.?status.orValue({})",
    "record": "object.?status.?operationState.orValue({})",
    "recordBefore": "oldObject.?status.?operationState.orValue({})",
}
"""What the rules for Applications share; each is worked out once, and only when it is used.

None is an optional: looking into a variable that is one finds nothing, whatever it holds (seen on 1.35).
"""


def application(
    *, several: bool = False, maker: kinds.Kind = kinds.SEALEDSECRET
) -> Iterator[rulings.Rule]:
    """The rules for Applications; they need `VARIABLES`.

    Args:
        several: Whether there are Applications with several sources, of which an operation names one commit for each.
        maker: The kind of which a controller makes Secrets.
    """
    yield from _untouched("Application", applications.REFRESH, ("normal", "hard"))
    yield from _record()
    yield rulings.rule(
        "an operation is active: it must have ended before another one is started",
        """
        !variables.starts ||
        !(oldObject.?operation.hasValue() || variables.phaseBefore in ['Running', 'Terminating'])
        """,
    )
    # An operation that is there already, whoever has started it, must not keep the deployer from
    # its other writes.
    for rule in (*_source(several=several), *_sync(maker, several=several), *_operation()):
        yield rulings.unless("!variables.starts", rule)


def application_set() -> Iterator[rulings.Rule]:
    """The rules for ApplicationSets."""
    yield from _untouched("ApplicationSet", applications.SET_REFRESH, ("true",))
    yield rulings.rule(
        "the deployer changes nothing in the status of an ApplicationSet",
        "object.?status == oldObject.?status",
    )


def _untouched(kind: str, annotation: str, values: Sequence[str]) -> Iterator[rulings.Rule]:
    """Nothing changes in spec and metadata but one annotation, and that has one of these values."""
    yield rulings.rule(
        f"the deployer neither creates nor deletes an {kind}: hanbae generate argocd makes them",
        "request.operation == 'UPDATE'",
    )
    yield rulings.rule(
        f"the deployer does not change the spec of an {kind} (project, source, destination, sync "
        "policy): hanbae generate argocd makes it",
        "object.?spec == oldObject.?spec",
    )
    # The rest of the metadata, such as managedFields, the API server writes itself.
    for field in ("labels", "finalizers", "ownerReferences"):
        yield rulings.rule(
            f"the deployer does not change the {field} of an {kind}",
            f"object.metadata.?{field} == oldObject.metadata.?{field}",
        )
    yield rulings.rule(
        f"of the annotations of an {kind} the deployer may set {annotation} to "
        f"{' or '.join(values)} and change no other",
        """
        object.metadata.?annotations.orValue({}).all(k,
          oldObject.metadata.?annotations[?k] == object.metadata.?annotations[?k] ||
          (k == <<annotation>> && object.metadata.annotations[k] in <<values>>)) &&
        oldObject.metadata.?annotations.orValue({}).all(k,
          k == <<annotation>> || object.metadata.?annotations[?k].hasValue())
        """,
        annotation=annotation,
        values=list(values),
    )


def _record() -> Iterator[rulings.Rule]:
    """Of the status only the record of the last operation changes, and that only to be cleared or terminated."""
    yield rulings.rule(
        "the deployer changes nothing in the status of an Application but operationState",
        """
        variables.status.all(k, k == 'operationState' ||
          (k in variables.statusBefore && variables.status[k] == variables.statusBefore[k])) &&
        variables.statusBefore.all(k, k == 'operationState' || k in variables.status)
        """,
    )
    yield rulings.rule(
        "of status.operationState the deployer may clear a record that has ended, or set the phase "
        "of a running one to Terminating, nothing else",
        """
        variables.record == variables.recordBefore ||
        (variables.record == {} && !(variables.phaseBefore in ['Running', 'Terminating'])) ||
        (variables.phaseBefore == 'Running' &&
          variables.record.?phase.orValue('') == 'Terminating' &&
          variables.record.all(k, k == 'phase' || (k in variables.recordBefore &&
            variables.record[k] == variables.recordBefore[k])) &&
          variables.recordBefore.all(k, k in variables.record))
        """,
    )


def _source(*, several: bool) -> Iterator[rulings.Rule]:
    """What is deployed is what the Application says, at one commit."""
    yield rulings.rule(
        "operation.sync.manifests would deploy what is not in git",
        "!('manifests' in variables.sync)",
    )
    yield rulings.rule(
        "operation.sync.source(s) would deploy from another place than the Application's own",
        "!('source' in variables.sync) && !('sources' in variables.sync)",
    )
    # In RE2 `$` is the end of the text alone, not the place before a last line break as well.
    commit = "variables.sync.?revision.orValue('').matches('^([0-9a-f]{40}|[0-9a-f]{64})$')"
    if not several:
        yield rulings.rule("operation.sync.revision must be a full commit id", commit)
        return
    yield rulings.rule(
        "operation.sync.revision must be a full commit id; of several sources, revisions must be it once for each",
        f"""
        object.spec.?sources.orValue([]).size() == 0 ?
          ({commit} && !('revisions' in variables.sync)) :
          (!('revision' in variables.sync) &&
           variables.sync.?revisions.orValue([]).size() == object.spec.sources.size() &&
           variables.sync.revisions.all(r, r == variables.sync.revisions[0] &&
             r.matches('^([0-9a-f]{{40}}|[0-9a-f]{{64}})$')))
        """,
    )


def _sync(maker: kinds.Kind, *, several: bool) -> Iterator[rulings.Rule]:
    """How it is deployed is what the Application says, hooks included."""
    more = "'revisions', " if several else ""
    yield rulings.rule(
        "operation.sync has a field that hanbae does not write",
        f"""
        variables.sync.all(k,
          k in ['revision', {more}'prune', 'syncStrategy', 'syncOptions', 'resources'])
        """,
    )
    yield rulings.rule(
        "operation.sync.prune is only for Applications whose own automation prunes",
        """
        !variables.sync.?prune.orValue(false) ||
        object.spec.?syncPolicy.?automated.?prune.orValue(false)
        """,
    )
    yield rulings.rule(
        "operation.sync.syncStrategy must run the hooks and must not force",
        "variables.sync.?syncStrategy.orValue({'hook': {}}) == {'hook': {}}",
    )
    yield rulings.rule(
        "operation.sync.syncOptions must be the Application's own",
        """
        variables.sync.?syncOptions.orValue([]) ==
        object.spec.?syncPolicy.?syncOptions.orValue([])
        """,
    )
    yield rulings.rule(
        "only what a migration reads may be synced on its own: a selective sync runs no migrations",
        """
        variables.sync.?resources.orValue([]).all(r,
          (r.?group.orValue('') == <<group>> && r.?kind.orValue('') == <<sealed>>) ||
          (r.?group.orValue('') == '' && (r.?kind.orValue('') == <<account>> || r.?kind.orValue('') == <<map>>)))
        """,
        group=maker.group,
        sealed=maker.kind,
        account=kinds.SERVICEACCOUNT.kind,
        map=kinds.CONFIGMAP.kind,
    )


def _operation() -> Iterator[rulings.Rule]:
    """Who asks, with which key, and that it is tried once."""
    yield rulings.rule(
        "operation has a field that hanbae does not write",
        "object.operation.all(k, k in ['sync', 'initiatedBy', 'info', 'retry'])",
    )
    yield rulings.rule(
        "operation.initiatedBy.username must be hanbae/ and the name of whoever deploys",
        """
        object.operation.?initiatedBy.orValue({}) ==
        {'username': 'hanbae/' + request.userInfo.username}
        """,
    )
    yield rulings.rule(
        "operation.info must hold hanbae's key once, and else only what hanbae says of a deployment",
        """
        object.operation.?info.orValue([]).exists_one(i,
          i.?name.orValue('') == <<key>> && i.?value.orValue('') != '') &&
        object.operation.info.all(i,
          i.?name.orValue('') == <<key>> || i.?name.orValue('').startsWith(<<about>>))
        """,
        key=operations.KEY,
        about=operations.ABOUT,
    )
    yield rulings.rule(
        "operation.retry would run the migrations again: its limit must be 0",
        "object.operation.?retry.orValue({'limit': 0}) == {'limit': 0}",
    )
