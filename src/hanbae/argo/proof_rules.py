"""Which Jobs the deployer may create and delete: the proofs of a service's migrations, in CEL.

Whoever may create a Job may run anything in its namespace, and read every Secret of it through an environment
variable and a log.
So a proof is bound to one service: its image repository, the keys of its databases' URLs in its Secret, its name; to
one command, word for word; and to as little as a pod can have.
It is made by :mod:`hanbae.planning.proofs` and :mod:`hanbae.clusters.probes`.

Every word of the command counts. Kubernetes expands ``$(NAME)`` in it, goose takes the driver and the address of a
database from it, and ``-table`` is pasted into SQL: each of them was enough to run any SQL, or to send the password of
the database to somebody else.

A rollback is the one thing that is not a mere look: ``down-to`` runs the Down parts of the image's own files, and
never all of them. Whoever may have any commit deployed may have its migrations run, so this is no right of a new kind;
but it is one to know of, and the documentation of rights says so.

Not to be told from here: what an image of that repository does when goose is called in it. A chart whose migrations
need tolerations, ``hostAliases``, ``dnsConfig`` or a volume cannot be proven by this identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hanbae.argo import authorizing, proof_questions, rulings
from hanbae.policy import documents, labels, naming

LONGEST: Final = 600
"""Seconds that a proof may run, and that it may stay when it has ended."""
DRIVER: Final = "GOOSE_DRIVER"
URL: Final = "GOOSE_DBSTRING"
"""The environment of a proof."""

TABLES: Final = ("public.goose_db_version", "goose_db_version")
"""Tables in which goose may look up versions; where there is none, ``status`` creates it."""
ASKING: Final = "drift"
FOLDER: Final = "/hanbae"
QUESTION: Final = ("-env=none", "-dir", FOLDER, "-no-versioning", "up")
"""The container that asks about drift, where it finds the question, and what it gives goose."""
MOST_MEMORY: Final = "512Mi"
MOST_CPU: Final = "1"
"""What a proof may take of a node."""

# No "$", which begins an expansion, and no "..".
_PATH: Final = "^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+/?$"
_PROGRAM: Final = "^((/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/)?(goose|hanbae-migrate)$"
_LABELS: Final = (
    "^(app[.]kubernetes[.]io/(name|instance|component|part-of|managed-by|version)|helm[.]sh/chart|"
    "hanbae[.]dev/.*|(batch[.]kubernetes[.]io/)?(controller-uid|job-name))$"
)
# The types that the baseline profile of Pod Security allows.
_SELINUX: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")


def variables(
    policy: documents.Policy, environment: str, services: Iterable[authorizing.Service]
) -> dict[str, str]:
    """What the rules share, none of it an optional: see :mod:`hanbae.argo.application_rules`."""
    proven = [
        {
            "namespace": naming.namespace(policy, service.name, environment),
            "prefix": f"{naming.release(policy, service.name, environment)}-",
            "repository": service.repository,
            "secret": naming.secret(policy, service.name, environment),
            # A list would not be of one type with the rest; keys of a Secret have no commas.
            "keys": f",{','.join(service.keys)},",
            "name": f"{service.name}-migrate",
            "account": naming.release(policy, service.name, environment),
        }
        for service in services
        if service.repository
    ]
    listed = ",\n".join(f"  {rulings.literal(entry)}" for entry in proven)
    return {
        # In this order: an expression may use only the variables before it.
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
        "asks": "variables.pod.containers.size() == 2",
        "asking": "variables.asks ? variables.pod.containers[1] : variables.container",
        # Nothing but a tag or a digest may follow: `shop/auth` does not stand for `shop/auth-evil`.
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
        "env": "variables.container.?env.orValue([])",
        "labels": "object.spec.template.metadata.?labels.orValue({})",
        "annotations": "object.spec.template.metadata.?annotations.orValue({})",
        "limits": "variables.container.?resources.?limits.orValue({})",
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
    for rule in (*_once(), *_asks(), *_runs(), *_reads(), *_confined()):
        yield rulings.unless("request.operation != 'CREATE'", rule)


def _once() -> Iterator[rulings.Rule]:
    # Where a field is absent, `orValue` stands for what Kubernetes takes then.
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
        "the pod of a proof has a migration's labels and no annotations but its question, so that no "
        "Service and no webhook takes it for one of its own",
        """
        variables.labels[?<<component>>].orValue('') == 'proof' &&
        variables.labels.all(l, l.matches(<<labels>>)) &&
        variables.own.exists(s, variables.labels[?'app.kubernetes.io/name'].orValue(s.name) == s.name) &&
        (variables.asks ?
          variables.annotations.size() == 1 && <<question>> in variables.annotations :
          variables.annotations.size() == 0)
        """,
        component=labels.COMPONENT,
        labels=_LABELS,
        question=labels.DRIFT,
    )


def _asks() -> Iterator[rulings.Rule]:
    yield rulings.rule(
        "a proof has one container, and one more that asks about drift, from the same image",
        """
        !has(variables.pod.initContainers) && (variables.pod.containers.size() == 1 ||
          variables.asks && variables.container.name == 'status' &&
          variables.asking.name == <<asking>> &&
          variables.asking.image == variables.container.image &&
          variables.asking.?imagePullPolicy == variables.container.?imagePullPolicy &&
          variables.asking.?command == variables.container.?command &&
          variables.asking.?env == variables.container.?env &&
          variables.asking.?resources == variables.container.?resources &&
          variables.asking.?securityContext == variables.container.?securityContext)
        """,
        asking=ASKING,
    )
    yield rulings.rule(
        "the second container of a proof asks hanbae's own question, word for word, and goose does "
        "not record it; after an upgrade of hanbae run hanbae generate rbac again",
        """
        !variables.asks || variables.asking.?args.orValue([]) == <<words>> &&
          variables.annotations[?<<key>>].orValue('') == <<question>> &&
          !has(variables.asking.envFrom) && !has(variables.asking.workingDir) &&
          !has(variables.asking.ports) && !has(variables.asking.volumeDevices) &&
          !has(variables.asking.lifecycle) && !has(variables.asking.livenessProbe) &&
          !has(variables.asking.readinessProbe) && !has(variables.asking.startupProbe) &&
          !variables.asking.?stdin.orValue(false) && !variables.asking.?tty.orValue(false) &&
          variables.asking.?terminationMessagePath.orValue(<<file>>) == <<file>>
        """,
        words=list(QUESTION),
        key=labels.DRIFT,
        question=proof_questions.DRIFT,
        file="/dev/termination-log",
    )


def _runs() -> Iterator[rulings.Rule]:
    yield rulings.rule(
        "a proof runs the service's own image; when its repository has changed, run hanbae "
        "generate rbac again, on the environment's branch",
        "variables.images.size() > 0",
    )
    yield rulings.rule(
        "a proof runs goose, or hanbae-migrate, with -env=none -dir FOLDER -table "
        "public.goose_db_version, and with status, or with down-to VERSION for a rollback, and "
        "nothing else; where a rollback is refused by this, run hanbae generate rbac again",
        """
        variables.container.?command.orValue([]).size() == 1 &&
        variables.container.command[0].matches(<<program>>) &&
        variables.args.size() >= 6 && variables.args[0] == '-env=none' &&
        variables.args[1] == '-dir' && variables.args[2].matches(<<path>>) &&
        variables.args[3] == '-table' && variables.args[4] in <<tables>> &&
        (variables.args.size() == 6 && variables.args[5] == 'status' ||
          variables.args.size() == 7 && variables.args[5] == 'down-to' &&
          variables.args[6].matches('^[1-9][0-9]{0,18}$')) &&
        !has(variables.container.workingDir)
        """,
        program=_PROGRAM,
        path=_PATH,
        tables=list(TABLES),
    )
    yield rulings.rule(
        "nothing runs beside the command of a proof, and nobody can speak to it",
        """
        !has(variables.container.lifecycle) && !has(variables.container.livenessProbe) &&
        !has(variables.container.readinessProbe) && !has(variables.container.startupProbe) &&
        !variables.container.?stdin.orValue(false) && !variables.container.?tty.orValue(false) &&
        variables.container.?terminationMessagePath.orValue(<<file>>) == <<file>>
        """,
        file="/dev/termination-log",
    )
    yield rulings.rule(
        f"a proof takes at most {MOST_CPU} CPU and {MOST_MEMORY} of memory, and nothing else of a node",
        """
        variables.limits[?'memory'].orValue('') != '' &&
        !quantity(variables.limits['memory']).isGreaterThan(quantity(<<memory>>)) &&
        variables.limits[?'cpu'].orValue('') != '' &&
        !quantity(variables.limits['cpu']).isGreaterThan(quantity(<<cpu>>)) &&
        variables.limits.all(r, r in ['cpu', 'memory']) &&
        variables.container.?resources.?requests.orValue({}).all(r, r in ['cpu', 'memory']) &&
        !has(variables.pod.resources) && !has(variables.pod.resourceClaims)
        """,
        memory=MOST_MEMORY,
        cpu=MOST_CPU,
    )


def _reads() -> Iterator[rulings.Rule]:
    # The pattern keeps commas out of the key: `a,b` would be found in `,a,b,`.
    yield rulings.rule(
        "a proof knows the driver postgres and the URL of one of the service's own databases, from "
        "its own Secret, and nothing else; when a database has another key, run hanbae generate "
        "rbac again",
        """
        !has(variables.container.envFrom) && variables.env.size() == 2 &&
        variables.env.exists(e, e.name == <<driver>> && e.?value.orValue('') == 'postgres') &&
        variables.env.exists(e, e.name == <<url>> && e.?value.orValue('') == '' &&
          has(e.valueFrom) && has(e.valueFrom.secretKeyRef) &&
          variables.images.exists(s, s.secret == e.valueFrom.secretKeyRef.name &&
            e.valueFrom.secretKeyRef.key.matches('^[-._a-zA-Z0-9]+$') &&
            s.keys.contains(',' + e.valueFrom.secretKeyRef.key + ',')))
        """,
        driver=DRIVER,
        url=URL,
    )
    yield rulings.rule(
        "a proof has no volumes but its question, no token, and no ServiceAccount but the service's own",
        """
        !has(variables.container.volumeDevices) && !has(variables.container.volumeMounts) &&
        (!variables.asks ? !has(variables.pod.volumes) :
          variables.pod.?volumes.orValue([]).size() == 1 &&
          variables.pod.volumes.all(v, v.name == <<asking>> && has(v.downwardAPI) &&
            v.downwardAPI.?items.orValue([]).size() == 1 &&
            v.downwardAPI.items.all(i, i.path == <<question>> &&
              i.?fieldRef.?fieldPath.orValue('') == <<field>>)) &&
          variables.asking.?volumeMounts.orValue([]).size() == 1 &&
          variables.asking.volumeMounts.all(m, m.name == <<asking>> && m.mountPath == <<folder>> &&
            !has(m.subPath) && !has(m.subPathExpr))) &&
        !variables.pod.?automountServiceAccountToken.orValue(true) &&
        (variables.pod.?serviceAccountName.orValue('') in ['', 'default'] ||
          variables.own.exists(s, variables.pod.?serviceAccountName.orValue('') == s.account))
        """,
        asking=ASKING,
        question=proof_questions.DRIFT_FILE,
        field=f"metadata.annotations['{labels.DRIFT}']",
        folder=FOLDER,
    )


def _confined() -> Iterator[rulings.Rule]:
    yield rulings.rule(
        "a proof uses nothing of its node's, and finds the database as every pod does",
        """
        !variables.pod.?hostNetwork.orValue(false) && !variables.pod.?hostPID.orValue(false) &&
        !variables.pod.?hostIPC.orValue(false) && !has(variables.pod.nodeName) &&
        !has(variables.pod.hostAliases) && !has(variables.pod.dnsConfig) &&
        variables.pod.?dnsPolicy.orValue('ClusterFirst') == 'ClusterFirst' &&
        !has(variables.pod.hostname) && !has(variables.pod.subdomain) &&
        !has(variables.pod.priorityClassName) && !has(variables.container.ports) &&
        variables.pod.?tolerations.orValue([]).size() == 0 &&
        variables.pod.?schedulerName.orValue('default-scheduler') == 'default-scheduler'
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
        variables.podSecurity.?sysctls.orValue([]).size() == 0 &&
        !has(variables.podSecurity.windowsOptions) && !has(variables.security.windowsOptions) &&
        variables.pod.?os.?name.orValue('linux') == 'linux'
        """,
    )
    for where in ("podSecurity", "security"):
        yield rulings.rule(
            "a proof keeps the AppArmor profile and the SELinux context that its node gives it",
            f"""
            variables.{where}.?appArmorProfile.?type.orValue('RuntimeDefault')
              in ['RuntimeDefault', 'Localhost'] &&
            variables.{where}.?seLinuxOptions.?type.orValue('') in <<selinux>> &&
            variables.{where}.?seLinuxOptions.?user.orValue('') == '' &&
            variables.{where}.?seLinuxOptions.?role.orValue('') == ''
            """,
            selinux=list(_SELINUX),
        )
