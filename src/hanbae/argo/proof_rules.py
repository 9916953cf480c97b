"""Which Jobs the deployer may create and delete: the proofs of a service's migrations, in CEL.

Whoever may create a Job may run anything in its namespace, and read every Secret of it through an environment
variable and a log.
So a proof is bound to one service: its image repository, its Secret, its name; to goose's ``status``; and to as little
as a pod can have.
It is made by :mod:`hanbae.planning.proofs` and :mod:`hanbae.clusters.probes`.

Not to be told from here: what an image of that repository does when goose is called in it. A chart whose migrations
need ``hostAliases``, ``dnsConfig`` or a volume cannot be proven by this identity: with the first two a proof could
send the database's password elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hanbae.argo import authorizing, rulings
from hanbae.policy import documents, labels, naming

LONGEST: Final = 600
"""Seconds that a proof may run, and that it may stay when it has ended."""
VARIABLES_OF_GOOSE: Final = ("GOOSE_DRIVER", "GOOSE_DBSTRING")
"""The environment of a proof."""

# Commands of goose that change a database or the folder; it takes the first word that is no flag.
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


def variables(
    policy: documents.Policy, environment: str, services: Iterable[authorizing.Service]
) -> dict[str, str]:
    """What the rules share, none of it an optional: see :mod:`hanbae.argo.application_rules`."""
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
    listed = ",\n".join(f"  {rulings.literal(each)}" for each in proven)
    return {
        "services": f"[\n{listed}\n]" if proven else "[]",
        "job": "request.operation == 'DELETE' ? oldObject : object",
        "own": rulings.expression(
            """
            variables.services.filter(s, s.namespace == request.namespace &&
              variables.job.metadata.name.startsWith(s.prefix))
            """
        ),
        "pod": "object.spec.template.spec",
        "container": "variables.pod.containers[0]",
        "images": rulings.expression(
            """
            variables.own.filter(s, variables.container.image.startsWith(s.repository) &&
              variables.container.image.substring(s.repository.size()).matches(
                '^(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?$'))
            """
        ),
        "security": "variables.container.?securityContext.orValue({})",
        "podSecurity": "variables.pod.?securityContext.orValue({})",
        "args": "variables.container.?args.orValue([])",
    }


def job() -> Iterator[rulings.Rule]:
    """The rules for Jobs; they need :func:`variables`."""
    yield rulings.rule(
        "the deployer does not change Jobs", "request.operation in ['CREATE', 'DELETE']"
    )
    yield rulings.rule(
        "the deployer creates and deletes only the Jobs with which hanbae proves the migrations of "
        "a service; for a new service run hanbae generate rbac again",
        """
        variables.job.metadata.?labels[?<<component>>].orValue('') == 'proof' &&
        variables.job.metadata.?labels[?<<key>>].orValue('') != '' &&
        variables.own.size() > 0
        """,
        component=labels.COMPONENT,
        key=labels.KEY,
    )
    for each in (*_once(), *_runs(), *_reads(), *_confined()):
        yield rulings.unless("request.operation != 'CREATE'", each)


def _once() -> Iterator[rulings.Rule]:
    yield rulings.rule(
        "a proof runs one pod, once, and nobody else manages it",
        """
        object.spec.?parallelism.orValue(1) == 1 && object.spec.?completions.orValue(1) == 1 &&
        object.spec.?backoffLimit.orValue(6) == 0 && variables.pod.restartPolicy == 'Never' &&
        !object.spec.?suspend.orValue(false) && !object.spec.?manualSelector.orValue(false) &&
        !has(object.spec.managedBy) && !has(object.metadata.ownerReferences) &&
        !has(object.metadata.finalizers)
        """,
    )
    yield rulings.rule(
        f"a proof ends within {LONGEST} s, and goes away within {LONGEST} s after that",
        """
        object.spec.?activeDeadlineSeconds.orValue(<<longest>> + 1) <= <<longest>> &&
        object.spec.?ttlSecondsAfterFinished.orValue(<<longest>> + 1) <= <<longest>>
        """,
        longest=LONGEST,
    )
    yield rulings.rule(
        "the pod of a proof has its labels, so that no Service takes it for one of its own",
        "object.spec.template.metadata.?labels[?<<component>>].orValue('') == 'proof'",
        component=labels.COMPONENT,
    )


def _runs() -> Iterator[rulings.Rule]:
    yield rulings.rule(
        "a proof has one container",
        "variables.pod.containers.size() == 1 && !has(variables.pod.initContainers)",
    )
    yield rulings.rule(
        "a proof runs the service's own image; when its repository has changed, run hanbae "
        "generate rbac again, on the environment's branch",
        "variables.images.size() > 0",
    )
    yield rulings.rule(
        "a proof runs goose status and nothing else",
        """
        variables.container.?command.orValue(['goose']).size() == 1 &&
        variables.container.?command.orValue(['goose'])[0].matches('^(/.*/)?goose$') &&
        variables.args.size() > 0 && variables.args[variables.args.size() - 1] == 'status' &&
        !variables.args.exists(a, a in <<writes>>) &&
        !has(variables.container.lifecycle) && !has(variables.container.livenessProbe) &&
        !has(variables.container.readinessProbe) && !has(variables.container.startupProbe)
        """,
        writes=list(_WRITES),
    )


def _reads() -> Iterator[rulings.Rule]:
    yield rulings.rule(
        "a proof has goose's variables and no others, and reads the service's own Secret only",
        """
        !has(variables.container.envFrom) &&
        variables.container.?env.orValue([]).all(e, e.name in <<names>> &&
          (!has(e.valueFrom) || (has(e.valueFrom.secretKeyRef) &&
            variables.images.exists(s, s.secret == e.valueFrom.secretKeyRef.name))))
        """,
        names=list(VARIABLES_OF_GOOSE),
    )
    yield rulings.rule(
        "a proof has no volumes and no token",
        """
        !has(variables.pod.volumes) && !has(variables.container.volumeDevices) &&
        !variables.pod.?automountServiceAccountToken.orValue(true)
        """,
    )


def _confined() -> Iterator[rulings.Rule]:
    yield rulings.rule(
        "a proof uses nothing of its node's, and finds the database as every pod does",
        """
        !variables.pod.?hostNetwork.orValue(false) && !variables.pod.?hostPID.orValue(false) &&
        !variables.pod.?hostIPC.orValue(false) && !has(variables.pod.nodeName) &&
        !has(variables.pod.hostAliases) && !has(variables.pod.dnsConfig) &&
        !has(variables.pod.priorityClassName) && !has(variables.container.ports)
        """,
    )
    yield rulings.rule(
        "a proof keeps to the restricted profile of Pod Security, whatever its namespace enforces",
        """
        variables.security.?runAsNonRoot.or(variables.podSecurity.?runAsNonRoot).orValue(false) &&
        variables.security.?runAsUser.or(variables.podSecurity.?runAsUser).orValue(1) != 0 &&
        !variables.security.?allowPrivilegeEscalation.orValue(true) &&
        !variables.security.?privileged.orValue(false) &&
        variables.security.?procMount.orValue('Default') == 'Default' &&
        variables.security.?capabilities.?drop.orValue([]).exists(c, c == 'ALL') &&
        variables.security.?capabilities.?add.orValue([]).size() == 0 &&
        variables.security.?seccompProfile.or(variables.podSecurity.?seccompProfile)
          .?type.orValue('') in ['RuntimeDefault', 'Localhost'] &&
        variables.podSecurity.?sysctls.orValue([]).size() == 0
        """,
    )
