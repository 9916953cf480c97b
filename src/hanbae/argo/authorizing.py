"""Who deploys, and what RBAC lets them do: exactly the calls that hanbae makes, and no verb for later.

Decisions, and why:

- Each environment has an identity of its own in a namespace of its own. Who may create tokens there may deploy there:
  that right is given per environment, and deleting one environment's rights touches no other's.
- Objects whose names follow from the policy are granted by name. Environments share Argo CD's namespace, so without
  that the deployer of dev could deploy production; and a Secret is readable only if it is a service's own. The price
  is that a new service needs these files again, which ``hanbae generate rbac --check`` finds.
- Three Roles, because they are three degrees of trust. ``read`` plans a deployment and follows it;
  ``deploy`` starts one and reads the services' Secrets, only to take their values out of logs; ``prove`` runs the Jobs
  that look into the databases.
- RBAC cannot say what in an object may change, and who may update an Application could make it deploy anything from
  anywhere; :mod:`hanbae.argo.admitting` says that.

Where Helm deploys, the identity is another one: Helm applies the objects itself, and keeps its records in Secrets that
it finds by listing. So it writes the kinds that charts make, and reads every Secret of the namespaces of its services;
:mod:`hanbae.argo.record_rules` says which Secrets it writes. There is no Application, and hooks are Jobs of any shape.

What every authenticated identity may do anyway (``/version``, SelfSubjectReview) is not granted again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.clusters import kinds
from hanbae.policy import documents, environments, labels, naming

Object = dict[str, Any]
Cluster = Literal["control", "workload"]
"""Argo CD's cluster, or that of the pods."""

ACCOUNT: Final = "hanbae-deployer"
"""The ServiceAccount that deploys."""

IMAGE: Final = ("image", "repository")
"""Where in a service's values its image is named."""

_RBAC: Final = "rbac.authorization.k8s.io"
_LONGEST_NAMESPACE: Final = 63
CERTIFICATE_PORTS: Final = ("http", "8080")
"""How the Sealed Secrets chart names the port of its Service, and what the plain manifest leaves unnamed."""


class Service(Struct, frozen=True):
    """What of a service the permissions depend on.

    Attributes:
        name: The service.
        repository: Repository of its image, without tag and digest; empty when it has no databases to prove.
        keys: Keys of its databases' URLs in its Secret.
        proxied: Its Services' ports that are asked whether they answer, as the API server's proxy names them.
        kinds: What its chart makes, where Helm applies that.
        secrets: Names of the Secrets among it.
    """

    name: str
    repository: str = ""
    keys: tuple[str, ...] = ()
    proxied: tuple[str, ...] = ()
    kinds: tuple[kinds.Kind, ...] = ()
    secrets: tuple[str, ...] = ()


def service(
    name: str,
    environment: str,
    values: Mapping[str, Any],
    *,
    keys: Iterable[str],
    place: subjects.Place,
) -> Service:
    """A service as the permissions depend on it: with its image where it has databases to prove.

    Args:
        name: The service.
        environment: The environment, for the fault.
        values: The content of its values file.
        keys: Keys of the databases' URLs that the file declares, in their order.
        place: Where the image's repository is, for the fault.

    Raises:
        hanbae.errors.FileFault: A service with databases names no image.
    """
    distinct = tuple(dict.fromkeys(keys))
    if not distinct:
        return Service(name)
    image = values.get(IMAGE[0])
    repository = image.get(IMAGE[1]) if isinstance(image, dict) else None
    if not isinstance(repository, str) or not repository:
        raise errors.FileFault("rbac.no-image", place=place, service=name, environment=environment)
    return Service(name, repository, distinct)


def clusters(policy: documents.Policy, environment: str) -> tuple[Cluster, ...]:
    """In which clusters an environment's deployer has anything to do: Helm knows no Argo CD."""
    return ("workload",) if environments.by_helm(policy, environment) else ("control", "workload")


def scope(policy: documents.Policy, environment: str) -> str:
    """What the names of everything here end in: that of the AppProject, which is unique in an Argo CD."""
    return naming.project(policy, environment)


def namespace(policy: documents.Policy, environment: str) -> str:
    """The namespace of the environment's deployer, in both clusters: ``hanbae-services-dev``."""
    name = f"hanbae-{scope(policy, environment)}"
    if len(name) <= _LONGEST_NAMESPACE:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    # Names that are only told apart by their ends stay apart by the digest.
    return f"{name[: _LONGEST_NAMESPACE - 9].rstrip('-')}-{digest}"


def username(policy: documents.Policy, environment: str) -> str:
    """What an API server calls the environment's deployer."""
    return f"system:serviceaccount:{namespace(policy, environment)}:{ACCOUNT}"


def spaces(
    policy: documents.Policy, environment: str, services: Iterable[Service]
) -> dict[str, list[Service]]:
    """Every namespace that a service of this environment may live in, and the services that do."""
    by_namespace: dict[str, list[Service]] = {
        name: [] for name in naming.namespaces_of_services(policy, environment)
    }
    for service in services:
        name = naming.namespace(policy, service.name, environment)
        by_namespace.setdefault(name, []).append(service)
    return by_namespace


def identity(policy: documents.Policy, environment: str) -> list[Object]:
    """The deployer and its namespace."""
    home = namespace(policy, environment)
    space = labelled(environment, home)
    space["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": space},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": labelled(environment, ACCOUNT, home),
            # No pod runs as this account; its tokens are requested and expire (`kubectl create
            # token`).
            "automountServiceAccountToken": False,
        },
    ]


def roles(
    policy: documents.Policy,
    environment: str,
    services: Sequence[Service],
    *,
    clusters: Collection[Cluster] = ("control", "workload"),
    groups: Sequence[str] = (),
) -> list[Object]:
    """Roles, each with the binding that gives it to the deployer.

    Args:
        policy: The policy.
        environment: Name of an environment on Kubernetes.
        services: The repository's services.
        clusters: What the cluster that they are for is; by default both, for an environment in one cluster.
        groups: Groups that may deploy, beside the deployer.
    """
    rules: dict[tuple[str, str], list[Object]] = {}
    by_helm = environments.by_helm(policy, environment)
    if "control" in clusters and not by_helm:
        _merge(rules, _control(policy, environment, services))
    if "workload" in clusters:
        _merge(rules, _workload(policy, environment, services))
        _merge(rules, _outside(policy))
        _merge(rules, _backups(policy, environment, services))
    subjects, end = _subjects(policy, environment, groups), scope(policy, environment)
    return [
        manifest
        for (where, purpose), permissions in rules.items()
        for manifest in _role(environment, f"hanbae-{purpose}-{end}", where, permissions, subjects)
    ]


_Rules = Iterator[tuple[str, str, list[Object]]]
"""Namespace, Role, rules."""


def _control(policy: documents.Policy, environment: str, services: Sequence[Service]) -> _Rules:
    names = [naming.application(policy, service.name, environment) for service in services]
    sets = [naming.application_set(policy, environment)]
    where = policy.argocd.namespace
    yield where, "read", _rule(kinds.APPLICATION, "get", "list", "watch", names=names)
    yield where, "read", _rule(kinds.APPLICATIONSET, "get", names=sets)
    yield where, "deploy", _rule(kinds.APPLICATION, "patch", "update", names=names)
    yield where, "deploy", _rule(kinds.APPLICATIONSET, "patch", names=sets)


def _workload(policy: documents.Policy, environment: str, services: Sequence[Service]) -> _Rules:
    for where, members in spaces(policy, environment, services).items():
        names = [naming.secret(policy, service.name, environment) for service in members]
        yield where, "read", _following(policy, names)
        proxied = [name for service in members for name in service.proxied]
        yield where, "read", _rule(kinds.SERVICE, "get", names=proxied, below="proxy")
        if members:
            leases = [naming.lease(service.name, environment) for service in members]
            yield where, "read", _rule(kinds.LEASE, "get", names=leases)
            # RBAC cannot restrict a creation by name.
            yield where, "deploy", _rule(kinds.LEASE, "create")
            yield where, "deploy", _rule(kinds.LEASE, "patch", "update", names=leases)
            yield where, "prove", _rule(kinds.JOB, "create", "delete")
            if environments.by_helm(policy, environment):
                yield where, "deploy", _applying(members)
            else:
                yield where, "deploy", _rule(kinds.SECRET, "get", "list", "watch", names=names)


_SCAFFOLDED: Final = (
    kinds.DEPLOYMENT,
    kinds.HPA,
    kinds.INGRESS,
    kinds.SEALEDSECRET,
    kinds.SERVICE,
    kinds.SERVICEACCOUNT,
)
"""What the policy's charts have templates for: values switch it on and off, and that takes no other rights."""


def _applying(services: Sequence[Service]) -> list[Object]:
    """What it takes to have Helm apply charts, keep its records, and take away what charts no longer have.

    A name that a chart no longer makes is still to be deleted, so what is granted is kinds.
    """
    by_resource = {(kind.group, kind.plural): kind for kind in _SCAFFOLDED}
    by_resource |= {
        (kind.group, kind.plural): kind for service in services for kind in service.kinds
    }
    # Secrets have a rule of their own below, with the verbs that Helm's records take.
    by_resource.pop((kinds.SECRET.group, kinds.SECRET.plural), None)
    restored = [
        kind
        for kind in (kinds.DEPLOYMENT, kinds.STATEFULSET)
        if (kind.group, kind.plural) in by_resource
    ]
    return [
        *_rule(kinds.SECRET, "create", "delete", "get", "list", "patch", "update", "watch"),
        *(
            rule
            for _, kind in sorted(by_resource.items())
            for rule in _rule(kind, "create", "delete", "get", "patch")
        ),
        # What `hanbae rollout undo` puts back, and where it finds that.
        *(rule for kind in restored for rule in _rule(kind, "update")),
        *(_rule(kinds.CONTROLLERREVISION, "list") if kinds.STATEFULSET in restored else []),
    ]


_COMPARED: Final = (
    kinds.CONFIGMAP,
    kinds.CRONJOB,
    kinds.DAEMONSET,
    kinds.HPA,
    kinds.HTTPROUTE,
    kinds.INGRESS,
    kinds.NETWORKPOLICY,
    kinds.PDB,
    kinds.PVC,
    kinds.SERVICE,
    kinds.SERVICEACCOUNT,
)
"""What charts make besides what is followed; ``hanbae plan`` reads each by its name. Secrets are never among it."""


def _bringing(policy: documents.Policy, secrets: Sequence[str]) -> list[Object]:
    """What it takes to see whether Secrets are made; an ExternalSecret holds none, and may be called otherwise."""
    kind = kinds.of_secrets(policy.secrets.provider)
    names = None if policy.secrets.are_external else secrets
    return _rule(kind, "get", "list", "watch", names=names)


def _following(policy: documents.Policy, secrets: Sequence[str]) -> list[Object]:
    """What it takes to follow a deployment; the names of pods and Jobs are known only when they are there."""
    return [
        *_rule(kinds.POD, "get", "list", "watch"),
        *_rule(kinds.POD, "get", below="log"),
        *_rule(kinds.EVENT, "list", "watch"),
        *_rule(kinds.JOB, "get", "list", "watch"),
        *_rule(kinds.DEPLOYMENT, "get", "list", "watch"),
        *_rule(kinds.STATEFULSET, "get", "list", "watch"),
        *_rule(kinds.REPLICASET, "get", "list", "watch"),
        # What refuses pods is described by the commands that causes end with.
        *_rule(kinds.RESOURCEQUOTA, "get"),
        *_rule(kinds.LIMITRANGE, "list"),
        *_rule(kinds.LEASE, "list"),
        *_bringing(policy, secrets),
        *(rule for kind in _COMPARED for rule in _rule(kind, "get")),
    ]


def _outside(policy: documents.Policy) -> _Rules:
    """What tells the cluster from others, and the certificate of its Sealed Secrets controller."""
    yield "kube-system", "read", _rule(kinds.NAMESPACE, "get", names=["kube-system"])
    if policy.secrets.are_external:
        return  # nothing is sealed
    where, _, controller = policy.secrets.controller.partition("/")
    proxied = [kinds.proxied(controller, port) for port in CERTIFICATE_PORTS]
    yield where, "read", _rule(kinds.SERVICE, "get", names=[controller])
    yield where, "read", _rule(kinds.SERVICE, "get", names=proxied, below="proxy")


def _backups(policy: documents.Policy, environment: str, services: Sequence[Service]) -> _Rules:
    """The backups by whose age a gate decides."""
    point = policy.checklists.restore_point
    if point is None or point.cluster is None:
        return
    if point.environments and environment not in point.environments:
        return
    if not any(item.decided_by == "restore-point" for _, item in policy.checklists.items):
        return
    names = (naming.backups(policy, service.name, environment) for service in services)
    for where in dict.fromkeys(names):
        yield where, "read", _rule(kinds.BACKUP, "list")


def _merge(rules: dict[tuple[str, str], list[Object]], more: _Rules) -> None:
    """Several reasons to grant something in one namespace make one Role."""
    for where, purpose, permissions in more:
        rules.setdefault((where, purpose), []).extend(permissions)


def _role(
    environment: str, name: str, where: str, rules: list[Object], subjects: list[Object]
) -> list[Object]:
    metadata = labelled(environment, name, where)
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": name}
    head = {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata}
    return [
        {**head, "rules": rules},
        {**head, "kind": "RoleBinding", "roleRef": reference, "subjects": subjects},
    ]


def _subjects(policy: documents.Policy, environment: str, groups: Sequence[str]) -> list[Object]:
    home = namespace(policy, environment)
    account = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home}
    return [account, *({"apiGroup": _RBAC, "kind": "Group", "name": name} for name in groups)]


def _rule(
    kind: kinds.Kind, *verbs: str, names: Sequence[str] | None = None, below: str = ""
) -> list[Object]:
    """One rule; none at all for an empty list of names, which RBAC would take for every object there is.

    A list or a watch of one object by ``metadata.name`` is allowed by the object's name as well.
    """
    if names is not None and not names:
        return []
    rule: Object = {
        "apiGroups": [kind.group],
        "resources": [f"{kind.plural}/{below}" if below else kind.plural],
        "verbs": sorted(verbs),
    }
    return [rule | ({"resourceNames": list(names)} if names is not None else {})]


def labelled(environment: str, name: str, where: str = "") -> Object:
    """The metadata of an object that belongs to an environment; without a namespace for a cluster-scoped one."""
    own = {
        labels.MANAGED_BY: labels.HANBAE,
        labels.ENVIRONMENT: environment,
    }
    return {"name": name, **({"namespace": where} if where else {}), "labels": own}
