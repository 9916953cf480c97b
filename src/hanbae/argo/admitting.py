"""What the deployer may change in the objects that RBAC lets it write: admission policies in CEL.

Argo CD's Application has no status subresource, so "may start a sync" and "may make Argo CD deploy anything from
anywhere" are one and the same verb of RBAC.
These policies tell them apart, and apply to the deployer alone.
They hold even where somebody gives it a more generous Role, because creation and deletion are refused here as well.

- **Application**: ``operation`` may be put where none is, in the one shape that hanbae writes, or taken back; the last
  record may be cleared, a running one told to end; a refresh may be asked for. Nothing else changes.
- **ApplicationSet**: a refresh may be asked for.
- **Job**: the proof of a database's migrations may be created and deleted: goose's ``status``, from the service's own
  image repository, with the service's own Secret, and as little else as a pod can have.

What they cannot do: the commit of a sync may be any that Argo CD can fetch from the repository, because an API server
knows no branches; what an image does is the image's secret; and who may read logs reads what a proof prints.

ValidatingAdmissionPolicy is in every Kubernetes from 1.30 on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from hanbae.argo import applications, authorizing, operations
from hanbae.clusters import kinds
from hanbae.policy import documents, naming

Thing = dict[str, Any]
Rule = tuple[str, str]
"""A CEL expression that must be true, and what is said when it is not."""

KEY: Final = "hanbae.dev/key"
"""The label of the Jobs that prove."""
COMPONENT: Final = "app.kubernetes.io/component"
LONGEST_PROOF: Final = 600
"""Seconds that a proof may run."""

_API: Final = "admissionregistration.k8s.io/v1"
_GOOSE: Final = ("GOOSE_DRIVER", "GOOSE_DBSTRING")
# Whatever changes a database or the folder; goose takes the first word that is no flag for its command.
_WRITES: Final = (
    "create",
    "down",
    "down-to",
    "fix",
    "redo",
    "reset",
    "up",
    "up-by-one",
    "up-to",
)


def control(
    policy: documents.Policy, environment: str, *, groups: Sequence[str] = ()
) -> list[Thing]:
    """The policies of Argo CD's cluster, each with its binding.

    Args:
        policy: The policy.
        environment: Name of an environment that Argo CD deploys.
        groups: Groups that deploy, beside the deployer; whoever is in one is held to the policies everywhere.
    """
    made = _Maker(policy, environment, groups)
    return [
        *made.policy(kinds.APPLICATION, _APPLICATION, _application()),
        *made.policy(kinds.APPLICATIONSET, {}, _application_set()),
    ]


def workload(
    policy: documents.Policy,
    environment: str,
    services: Iterable[authorizing.Service],
    *,
    groups: Sequence[str] = (),
) -> list[Thing]:
    """The policies of the pods' cluster, each with its binding; arguments as for :func:`control`."""
    proven = [
        {
            "namespace": naming.namespace(policy, service.name, environment),
            "prefix": f"{naming.release(policy, service.name)}-",
            "repository": service.repository,
            "secret": naming.secret(policy, service.name),
        }
        for service in services
        if service.repository
    ]
    variables = {"services": _cel(proven), **_JOB}
    made = _Maker(policy, environment, groups)
    return made.policy(kinds.JOB, variables, _job())


def _cel(value: Any) -> str:
    """A value as CEL writes it; its strings have the escapes of JSON."""
    return json.dumps(value, ensure_ascii=True)


_APPLICATION: Final = {
    "sync": "object.?operation.?sync.orValue({})",
    "starts": "object.?operation.hasValue() && object.?operation != oldObject.?operation",
    "active": (
        "oldObject.?status.?operationState.?phase.orValue('') in ['Running', 'Terminating'] "
        "|| oldObject.?operation.hasValue()"
    ),
    "status": "object.?status.orValue({})",
    "statusBefore": "oldObject.?status.orValue({})",
    "record": "object.?status.?operationState",
    "recordBefore": "oldObject.?status.?operationState",
}
"""Variables of the policy for Applications; each is worked out once, and only when it is used."""


def _application() -> list[Rule]:
    return [
        *_untouched("Application", applications.REFRESH, ("normal", "hard")),
        (
            "variables.status.all(k, k == 'operationState' || "
            "(k in variables.statusBefore && variables.status[k] == variables.statusBefore[k]))"
            " && variables.statusBefore.all(k, k == 'operationState' || k in variables.status)",
            "the deployer changes nothing in the status but operationState",
        ),
        (
            "variables.record == variables.recordBefore || (!variables.record.hasValue() && "
            "!(variables.recordBefore.?phase.orValue('') in ['Running', 'Terminating'])) || "
            "(variables.recordBefore.?phase.orValue('') == 'Running' && "
            "variables.record.?phase.orValue('') == 'Terminating' && "
            "variables.record.value().all(k, k == 'phase' || (k in variables.recordBefore.value() "
            "&& variables.record.value()[k] == variables.recordBefore.value()[k])) && "
            "variables.recordBefore.value().all(k, k in variables.record.value()))",
            "of the last operation's record the deployer may clear one that has ended or set the "
            "phase of a running one to Terminating, nothing else",
        ),
        (
            "!variables.starts || !variables.active",
            "an operation is active: it must have ended before another one is started",
        ),
        *(
            (f"!variables.starts || ({expression})", message)
            for expression, message in _operation()
        ),
    ]


def _operation() -> list[Rule]:
    """What an operation that is being started must look like; :func:`hanbae.argo.operations.asking` writes it."""
    return [
        (
            "!('manifests' in variables.sync)",
            "operation.sync.manifests would deploy what is not in git",
        ),
        (
            "!('source' in variables.sync) && !('sources' in variables.sync)",
            "operation.sync.source(s) would deploy from another place than the Application's own",
        ),
        (
            "variables.sync.all(k, k in "
            "['revision', 'prune', 'syncStrategy', 'syncOptions', 'resources'])",
            "operation.sync has a field that hanbae does not write",
        ),
        (
            "variables.sync.?revision.orValue('').matches('^([0-9a-f]{40}|[0-9a-f]{64})$')",
            "operation.sync.revision must be a full commit id",
        ),
        (
            "!variables.sync.?prune.orValue(false) || "
            "object.spec.?syncPolicy.?automated.?prune.orValue(false)",
            "operation.sync.prune is only for Applications whose own automation prunes",
        ),
        (
            "variables.sync.?syncStrategy.orValue({'hook': {}}) == {'hook': {}}",
            "operation.sync.syncStrategy must run the hooks and must not force",
        ),
        (
            "variables.sync.?syncOptions.orValue([]) == "
            "object.spec.?syncPolicy.?syncOptions.orValue([])",
            "operation.sync.syncOptions must be the Application's own",
        ),
        (
            "variables.sync.?resources.orValue([]).all(r, r.?kind.orValue('') == 'SealedSecret' && "
            f"r.?group.orValue('') == {_cel(kinds.SEALEDSECRET.group)})",
            "only SealedSecrets may be synced on their own: a selective sync runs no migrations",
        ),
        (
            "object.operation.all(k, k in ['sync', 'initiatedBy', 'info', 'retry'])",
            "operation has a field that hanbae does not write",
        ),
        (
            "object.operation.?initiatedBy.orValue({}) == "
            "{'username': 'hanbae/' + request.userInfo.username}",
            "operation.initiatedBy.username must be hanbae/ and the name of whoever deploys",
        ),
        (
            "object.operation.?info.orValue([]).size() == 1 && object.operation.info.all(i, "
            f"i.?name.orValue('') == {_cel(operations.KEY)} && i.?value.orValue('') != '')",
            "operation.info must hold hanbae's key and nothing else",
        ),
        (
            "object.operation.?retry.orValue({'limit': 0}) == {'limit': 0}",
            "operation.retry would run the migrations again: its limit must be 0",
        ),
    ]


def _application_set() -> list[Rule]:
    return [
        *_untouched("ApplicationSet", applications.SET_REFRESH, ("true",)),
        (
            "object.?status == oldObject.?status",
            "the deployer changes nothing in the status of an ApplicationSet",
        ),
    ]


def _untouched(kind: str, annotation: str, values: Sequence[str]) -> list[Rule]:
    """Nothing changes in spec and metadata but one annotation, and that has one of these values."""
    key = _cel(annotation)
    return [
        (
            "request.operation == 'UPDATE'",
            f"the deployer neither creates nor deletes an {kind}: hanbae generate argocd makes them",
        ),
        (
            "object.?spec == oldObject.?spec",
            f"the deployer does not change the spec of an {kind} (project, source, destination, "
            "sync policy): hanbae generate argocd makes it",
        ),
        (
            "object.metadata.?labels == oldObject.metadata.?labels",
            f"the deployer does not change the labels of an {kind}",
        ),
        (
            "object.metadata.?finalizers == oldObject.metadata.?finalizers",
            f"the deployer does not change the finalizers of an {kind}",
        ),
        (
            "object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences",
            f"the deployer does not change the owners of an {kind}",
        ),
        (
            "object.metadata.?annotations.orValue({}).all(k, "
            "oldObject.metadata.?annotations[?k] == object.metadata.?annotations[?k] || "
            f"(k == {key} && object.metadata.annotations[k] in {_cel(list(values))})) && "
            "oldObject.metadata.?annotations.orValue({}).all(k, "
            f"k == {key} || object.metadata.?annotations[?k].hasValue())",
            f"of the annotations of an {kind} the deployer may set {annotation} to "
            f"{' or '.join(values)} and change no other",
        ),
    ]


_JOB: Final = {
    "thing": "request.operation == 'DELETE' ? oldObject : object",
    "template": "object.spec.template",
    "pod": "variables.template.spec",
    "container": "variables.pod.containers[0]",
    "own": (
        "variables.services.filter(s, s.namespace == request.namespace && "
        "variables.thing.metadata.name.startsWith(s.prefix))"
    ),
    "isProof": (
        f"variables.thing.metadata.?labels[?{_cel(COMPONENT)}].orValue('') == 'proof' && "
        f"variables.thing.metadata.?labels[?{_cel(KEY)}].orValue('') != ''"
    ),
}


def _job() -> list[Rule]:
    creates = "request.operation != 'CREATE'"
    return [
        ("request.operation in ['CREATE', 'DELETE']", "the deployer does not change Jobs"),
        (
            "variables.isProof && variables.own.size() > 0",
            "the deployer creates and deletes only the Jobs with which hanbae proves migrations of "
            "a service; for a new service run hanbae generate rbac again",
        ),
        *((f"{creates} || ({expression})", message) for expression, message in _proof()),
    ]


def _proof() -> list[Rule]:
    return [
        (
            f"variables.template.metadata.?labels[?{_cel(COMPONENT)}].orValue('') == 'proof'",
            "the pod of a proof must have its labels",
        ),
        (
            "!has(object.metadata.ownerReferences) && !has(object.metadata.finalizers)",
            "a proof has no owners and no finalizers",
        ),
        (
            "object.spec.?parallelism.orValue(1) == 1 && object.spec.?completions.orValue(1) == 1 "
            "&& object.spec.?backoffLimit.orValue(6) == 0 && "
            "!object.spec.?suspend.orValue(false) && !object.spec.?manualSelector.orValue(false) "
            "&& !has(object.spec.managedBy) && variables.pod.restartPolicy == 'Never'",
            "a proof runs one pod, once",
        ),
        (
            f"object.spec.?activeDeadlineSeconds.orValue(0) in 1..{LONGEST_PROOF}"
            if False
            else "object.spec.?activeDeadlineSeconds.orValue(0) > 0 && "
            f"object.spec.?activeDeadlineSeconds.orValue(0) <= {LONGEST_PROOF} && "
            "object.spec.?ttlSecondsAfterFinished.orValue(3600) <= 600",
            f"a proof ends within {LONGEST_PROOF} s and goes away by itself",
        ),
        (
            "variables.pod.containers.size() == 1 && !has(variables.pod.initContainers)",
            "a proof has one container",
        ),
        (
            "!has(variables.pod.volumes) && "
            "!variables.pod.?automountServiceAccountToken.orValue(true)",
            "a proof has no volumes and no token",
        ),
        (
            "!has(variables.pod.hostNetwork) && !has(variables.pod.hostPID) && "
            "!has(variables.pod.hostIPC) && !has(variables.pod.nodeName) && "
            "!has(variables.pod.hostAliases) && !has(variables.pod.dnsConfig) && "
            "!has(variables.pod.priorityClassName) && !has(variables.container.ports)",
            "a proof uses nothing of its node's and finds the database as everybody does",
        ),
        *_security(),
        *_command(),
    ]


def _security() -> list[Rule]:
    """The restricted profile of Pod Security, whatever the namespace enforces."""
    own = "variables.container.?securityContext"
    pod = "variables.pod.?securityContext"
    return [
        (
            f"{own}.?runAsNonRoot.or({pod}.?runAsNonRoot).orValue(false) && "
            f"{own}.?runAsUser.or({pod}.?runAsUser).orValue(1) != 0 && "
            f"!{own}.?allowPrivilegeEscalation.orValue(true) && "
            f"!{own}.?privileged.orValue(false) && "
            f"{own}.?procMount.orValue('Default') == 'Default' && "
            f"{own}.?capabilities.?drop.orValue([]).exists(c, c == 'ALL') && "
            f"{own}.?capabilities.?add.orValue([]).size() == 0 && "
            f"{own}.?seccompProfile.or({pod}.?seccompProfile).?type.orValue('') in "
            "['RuntimeDefault', 'Localhost'] && "
            f"!has(variables.container.volumeDevices) && {pod}.?sysctls.orValue([]).size() == 0",
            "a proof keeps to the restricted profile of Pod Security",
        ),
    ]


def _command() -> list[Rule]:
    """Only ``goose … status``, from a service's own image, with that service's Secret."""
    return [
        (
            "variables.container.?command.orValue(['goose']).size() == 1 && "
            "variables.container.?command.orValue(['goose'])[0].matches('^(/.*/)?goose$') && "
            "variables.container.?args.orValue([]).size() > 0 && "
            "variables.container.args[variables.container.args.size() - 1] == 'status' && "
            f"!variables.container.args.exists(a, a in {_cel(list(_WRITES))}) && "
            "!has(variables.container.lifecycle) && !has(variables.container.livenessProbe) && "
            "!has(variables.container.readinessProbe) && !has(variables.container.startupProbe)",
            "a proof runs goose status and nothing else",
        ),
        (
            "variables.own.exists(s, variables.container.image.startsWith(s.repository) && "
            "variables.container.image.substring(s.repository.size())"
            ".matches('^(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?$'))",
            "a proof runs the service's own image; if its repository has changed, run "
            "hanbae generate rbac again",
        ),
        (
            "!has(variables.container.envFrom) && variables.container.?env.orValue([]).all(e, "
            f"e.name in {_cel(list(_GOOSE))} && (!has(e.valueFrom) || "
            "(has(e.valueFrom.secretKeyRef) && "
            "variables.own.exists(s, s.secret == e.valueFrom.secretKeyRef.name))))",
            "a proof has goose's variables and no others, and reads the service's own Secret only",
        ),
    ]


class _Maker:
    """Makes policies that apply to the environment's deployer alone."""

    def __init__(self, policy: documents.Policy, environment: str, groups: Sequence[str]) -> None:
        self._environment = environment
        self._scope = authorizing.scope(policy, environment)
        user = _cel(authorizing.username(policy, environment))
        tests = [f"request.userInfo.username == {user}"]
        tests += [f"{_cel(group)} in request.userInfo.groups" for group in groups]
        self._who = " || ".join(tests)

    def policy(self, kind: kinds.Kind, variables: dict[str, str], rules: list[Rule]) -> list[Thing]:
        name = f"hanbae-{kind.plural}-{self._scope}"
        metadata = authorizing.labelled(self._environment, name)
        rule = {
            "apiGroups": [kind.group],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE", "DELETE"],
            "resources": [kind.plural],
        }
        validations = [
            {"expression": expression, "message": message, "reason": "Forbidden"}
            for expression, message in rules
        ]
        spec: Thing = {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [{"name": "is-the-deployer", "expression": self._who}],
        }
        if variables:
            spec["variables"] = [
                {"name": key, "expression": expression} for key, expression in variables.items()
            ]
        spec["validations"] = validations
        binding = {"policyName": name, "validationActions": ["Deny"]}
        head = {"apiVersion": _API, "metadata": metadata}
        return [
            {**head, "kind": "ValidatingAdmissionPolicy", "spec": spec},
            {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
        ]
