"""The shape of ``hanbae.yaml``.

Every field has a docstring entry with meaning, unit and default; the JSON Schema that editors use is
generated from these classes, and unknown keys are errors.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import field

from hanbae.policy.bases import Count, Days, Document, Duration, Name, Patience
from hanbae.policy.forms import (
    ApiVersion,
    Entry,
    Expression,
    Holiday,
    Image,
    Kinds,
    KubernetesVersion,
    Mirror,
    ObjectKind,
    Pattern,
    Reason,
    RegistryHost,
    RuleCode,
    Store,
    Suffix,
)
from hanbae.policy.freezes import Freeze
from hanbae.policy.gateways import Gateways, Route
from hanbae.policy.items import Check, Checklists, Endpoint, Item, RestorePoint
from hanbae.policy.receivers import Receiver

__all__ = [
    "ArgoCD",
    "Check",
    "Checklists",
    "Count",
    "Days",
    "Directory",
    "Document",
    "Duration",
    "Endpoint",
    "Environment",
    "Freeze",
    "Gateways",
    "History",
    "Holiday",
    "Item",
    "Local",
    "Migrations",
    "Name",
    "NamedService",
    "Namespace",
    "OwnRule",
    "Patience",
    "Policy",
    "Profile",
    "Receiver",
    "Registry",
    "RestorePoint",
    "Rollout",
    "Route",
    "RuleSetting",
    "Secrets",
    "Services",
    "Trouble",
]

Profile = Literal["policy", "essential"]
"""Which of hanbae's rules are held to."""


class ArgoCD(Document, frozen=True):
    """Where Argo CD lives and what it reads.

    Attributes:
        repository: URL of the git repository as Argo CD fetches it.
        namespace: Namespace of Argo CD's objects; default ``argocd``.
        remote: Name of the git remote that hanbae fetches branches from; default ``origin``.
        project: How the names of AppProjects and ApplicationSets begin; the environment follows. Default
            ``services``.
        server: Address of Argo CD's API as for ``argocd login``, such as ``argocd.example.com``, for environments
            whose transport is ``argocd-api``; default ``ARGOCD_SERVER``, else the server that ``argocd`` is logged
            in to. A token in ``ARGOCD_AUTH_TOKEN`` goes there only if ``ARGOCD_SERVER`` or a login names it as well.
        plaintext: Speak to it without TLS although it is not on this machine or a private address; the token can be
            read on the way, so each user must say so too, with ``ARGOCD_OPTS=--plaintext``. Default false.
        kinds: Kinds that services may bring beside those that a service is made of, such as
            ``monitoring.coreos.com/ServiceMonitor``; the AppProjects refuse all others.
    """

    repository: str
    namespace: Name = "argocd"
    remote: str = "origin"
    project: Name = "services"
    server: str | None = None
    plaintext: bool = False
    kinds: tuple[ObjectKind, ...] = ()


class Directory(Document, frozen=True):
    """How Argo CD reads a folder of plain manifests, as ``spec.source.directory`` says it.

    Attributes:
        recurse: Whether the folders in it are read as well; default false.
        include: Glob of the files that are read, such as ``*.yaml`` or ``{a,b}.yaml``; default all manifests.
        exclude: Glob of the files that are not.
    """

    recurse: bool = False
    include: str = ""
    exclude: str = ""


class NamedService(Document, frozen=True):
    """What the policy says of one service by its name; what is left out is as for all services.

    Attributes:
        path: Folder of its chart, without ``*``, or ``.`` for the repository's root; several services may share one.
            Without a chart it is Kustomize's, or one of plain manifests; it may hold ``{environment}``.
        directory: As for all services.
        namespace: As for all services.
        release: As for all services.
        application: As for all services.
        secret: As for all services.
        values: As for all services.
        migrations: As for all services.
        databases: What its databases are called: Job, container or key of an address, a template → the database's name.
    """

    path: str | None = None
    directory: Directory | None = None
    namespace: str | None = None
    release: str | None = None
    application: str | None = None
    secret: str | None = None
    values: tuple[str, ...] | None = None
    migrations: str | None = None
    databases: dict[str, str] = field(default_factory=dict)


class Services(Document, frozen=True):
    """Where services are and how their objects are named.

    What is called a template below may hold ``{service}`` and ``{environment}``, that of the Secret ``{release}`` too.

    Attributes:
        path: Glob of the chart folders, or several; the part that matches ``*``, which may be the last one, is the
            service's name. A glob that holds ``{environment}`` is one of folders without a chart: Kustomize overlays,
            or plain manifests where a folder has no kustomization.
        directory: How the folders of plain manifests are read; where it is given, no folder without a chart is
            Kustomize's.
        exclude: Folders among them, or above some of them, that are not services, such as libraries; a part may
            hold ``*``.
        namespace: Namespace of a service that names no other, a template; environments may add a suffix.
        release: Name of the Helm release, a template; without a chart, what the service's proofs and its ServiceAccount
            are called after.
        application: Name of Argo CD's Application, a template.
        secret: Name of a service's Secret, a template.
        values: Values files in order, templates; later ones win. A bare name, or what begins with ``./`` or ``../``, is
            a path from the chart's folder; any other is one from the repository's root. Default
            ``values-{environment}.yaml``; where ``values.yaml`` is among them, it belongs into git. An empty list is of
            charts that are rendered with no file but their own ``values.yaml``, which Helm reads where it is there.
        migrations: Folder of a service's migrations from the repository's root, a template; default ``migrations``
            beside the chart, or in it where the chart's folder is the service's own; without a chart, in the folder
            that is called like the service.
        named: Services by name, where one is not as all are.
    """

    path: str | tuple[str, ...] = "services/*/helm"
    directory: Directory | None = None
    exclude: tuple[str, ...] = ()
    namespace: str = "services"
    release: str = "{service}-service"
    application: str = "{service}-{environment}"
    secret: str = "{service}-secrets"  # noqa: S105  a name, no secret
    values: tuple[str, ...] | None = None
    migrations: str | None = None
    named: dict[Name, NamedService] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """The globs of the chart folders."""
        return (self.path,) if isinstance(self.path, str) else self.path


class Namespace(Document, frozen=True):
    """A namespace of the policy.

    Attributes:
        purpose: What lives there, in the policy's words.
        services: Services that are deployed there instead of the default namespace.
        expects: What somebody else deploys there and services need: a word of ``purpose`` → the Service by which it is
            reached. `hanbae overlay plan` looks whether it is there.
        pod_security: Pod Security Standard that the cluster enforces there; default ``restricted``, which
            every chart that hanbae scaffolds satisfies.
    """

    purpose: tuple[str, ...] = ()
    services: tuple[Name, ...] = ()
    expects: dict[str, Name] = field(default_factory=dict)
    pod_security: Literal["restricted", "baseline", "privileged"] = "restricted"


class Environment(Document, frozen=True):
    """One environment.

    Attributes:
        platform: ``kubernetes`` or ``compose`` (the local one).
        trigger: ``push`` (to the branch) or ``manual``.
        branch: The branch that the environment deploys.
        sync: ``auto`` when Argo CD starts syncs itself, ``manual`` when a person or CI does.
        values: Name of the values file inside the chart folder; or a list, which replaces that of the services.
        overlay: Folder of the Kustomize overlay.
        engine: What changes the environment; default ``argocd``.
        control: kubeconfig context of Argo CD's cluster; default the current one.
        workload: kubeconfig context of the pods' cluster; default the same as `control`. Argo CD must know that
            cluster by the same name, as after ``argocd cluster add CONTEXT``.
        namespace_suffix: Appended to every namespace; environments in one cluster must differ in it.
        database_changes: ``manual`` takes services with migrations out of automation; default ``auto``.
        approvals: How many people must have approved, at the forge and at its very head, the merge request by which
            a commit comes; neither its author nor whoever deploys counts. Default 0.
        kubernetes: Minor version of Kubernetes that the pods' cluster runs, in quotes; what is checked and rendered
            without a cluster is checked and rendered for it. Default ``"1.35"``.
        api_versions: What that cluster serves beyond Kubernetes' own, as charts ask for it: ``group/version``, or
            ``group/version/Kind``, which says that the version is there as well. What is neither listed nor committed
            may be there or not: then both are checked.
        transport: How Argo CD is driven: ``kubernetes`` (its objects, the default) or ``argocd-api`` (its API, with
            the token in ``ARGOCD_AUTH_TOKEN`` or of ``argocd login``; its RBAC and sync windows apply).
    """

    platform: Literal["kubernetes", "compose"] = "kubernetes"
    trigger: Literal["push", "manual"] = "push"
    branch: str | None = None
    sync: Literal["auto", "manual"] = "manual"
    values: str | tuple[str, ...] | None = None
    overlay: str | None = None
    engine: Literal["argocd", "helm"] = "argocd"
    control: str | None = None
    workload: str | None = None
    namespace_suffix: Suffix = ""
    database_changes: Literal["auto", "manual"] = "auto"
    approvals: Count = 0
    kubernetes: KubernetesVersion = "1.35"
    api_versions: tuple[ApiVersion, ...] = ()
    transport: Literal["kubernetes", "argocd-api"] = "kubernetes"


class Secrets(Document, frozen=True):
    """How secrets reach the cluster.

    Attributes:
        provider: ``sealed-secrets`` (default): the values are in git, sealed. ``external-secrets``: git only says where
            in a store they are, and the External Secrets operator fetches them; hanbae seals nothing then.
        scope: What a sealed value is bound to; ``strict`` (default) is namespace and name.
        wave: Sync wave of the SealedSecret or ExternalSecret; default -10.
        controller: ``namespace/name`` of the controller's Service.
        store: Kind and name of the store that new charts refer to, such as ``ClusterSecretStore/shop``, a template that
            may hold ``{environment}``; only with ``external-secrets``.
        entry: The entry of the store in which a new chart looks for its keys, a template that may hold ``{service}``
            and ``{environment}``; default ``{environment}/{service}``.
        max_age: Key of a Secret → days after which its value is to be another one, such as ``90d``; ``*`` is every key
            that is not named.
    """

    provider: Literal["sealed-secrets", "external-secrets"] = "sealed-secrets"
    scope: Literal["strict", "namespace-wide", "cluster-wide"] = "strict"
    wave: int = -10
    controller: str = "kube-system/sealed-secrets-controller"
    store: Store | None = None
    entry: Entry = "{environment}/{service}"
    max_age: dict[str, Days] = field(default_factory=dict)

    @property
    def are_external(self) -> bool:
        """Whether the values are in a store, and git only refers to them."""
        return self.provider == "external-secrets"


class Migrations(Document, frozen=True):
    """How database migrations run.

    Attributes:
        tool: Only ``goose``.
        runner: The program that the Jobs run: goose's own command (default), or ``hanbae-migrate``, which runs the same
            files under a lock; PostgreSQL only.
        phase: Argo CD phase of the Jobs; default ``Sync`` (see docs/adr for why not ``PreSync``).
        wave: Sync wave of the first database; default -5.
        ttl: How long a finished Job is kept; default 5 minutes.
        backoff_limit: How many times a failed migration pod is tried again; default 3.
        deadline: How long one Job may run in all; default 10 minutes.
        lock_timeout: How long a statement waits for a lock of PostgreSQL before it gives up, whatever waits behind it;
            default without an end, as PostgreSQL's own. Charts give it to goose's connection as ``PGOPTIONS``; what
            the URL's own ``options`` say goes before it. Not 0.
    """

    tool: Literal["goose"] = "goose"
    runner: Literal["goose", "hanbae-migrate"] = "goose"
    phase: Literal["Sync", "PreSync"] = "Sync"
    wave: int = -5
    ttl: Duration = "5m"
    backoff_limit: Count = 3
    deadline: Duration = "10m"
    lock_timeout: Patience | None = None


class Rollout(Document, frozen=True):
    """How long a rollout may take.

    Attributes:
        deadline: The rollout has failed after this; default 10 minutes.
        stalled_after: hanbae says what is awaited after this long without progress; default 2 minutes.
        crashes: The rollout has failed once a container of a new pod that was never ready has ended this many times;
            default 3, 0 to wait for the deadline.
    """

    deadline: Duration = "10m"
    stalled_after: Duration = "2m"
    crashes: Count = 3


class Registry(Document, frozen=True):
    """How hanbae asks a registry for images: their digests, and the migrations in them.

    Attributes:
        plain_http: It speaks plain HTTP. No password is sent to it then unless each user allows it, by
            ``--insecure-registry`` or by naming it in ``HANBAE_PLAIN_REGISTRIES``. Default false.
        mirrors: Registries that are asked before it, in this order, each with the credentials that ``docker login`` has
            filed under that very registry, or with none. Default none.
    """

    plain_http: bool = False
    mirrors: tuple[Mirror, ...] = ()


class History(Document, frozen=True):
    """Where events are kept.

    Attributes:
        url: ``sqlite`` (a file of the user's, default), ``sqlite:///path``, or ``postgresql://USER@HOST/DATABASE``,
            never with a password.
    """

    url: str = "sqlite"


_FORM: Final = "form"
"""Where an entry of ``rules:`` says which of its two forms it has, once it is read; no file writes it."""


class OwnRule(Document, frozen=True, tag_field=_FORM, tag="own"):
    """A rule of the team's own over rendered objects.

    Attributes:
        id: Short stable name; findings have the code ``OWN-`` and this.
        kinds: The kinds that it is about, each with its API group in front unless it is in the core group:
            ``apps/Deployment``, ``Service``.
        expression: What must be true of ``object``, in CEL as the API server understands it.
        message: What is wrong when it is not.
        severity: ``error`` (default; the cluster refuses the object as well), ``warning`` or ``notice`` (the cluster
            warns).
        environments: The environments that it holds for; default all.
    """

    id: Name
    kinds: tuple[Kinds, ...]
    expression: Expression
    message: str
    severity: Literal["error", "warning", "notice"] = "error"
    environments: tuple[Name, ...] = ()


class RuleSetting(Document, frozen=True, tag_field=_FORM, tag="setting"):
    """What the findings of one rule mean here. Of several that concern a finding, the last one counts.

    Attributes:
        code: The rule's code, such as ``KUB011``; `hanbae check --rules` lists them.
        severity: ``error``, ``warning`` or ``notice``, or ``off`` for findings that are not reported.
        reason: Why; reports show it beside what is switched off.
        paths: Files or folders that it is about, with ``*``, ``?`` and ``**``; default all.
        services: Services that it is about; default all, and what belongs to no service.
    """

    code: RuleCode
    severity: Literal["error", "warning", "notice", "off"]
    reason: Reason
    paths: tuple[Pattern, ...] = ()
    services: tuple[Name, ...] = ()


class Local(Document, frozen=True):
    """The local environment, in Docker Compose.

    Attributes:
        environment: The environment whose charts it is made of; default the first one on Kubernetes.
        postgresql: Image of PostgreSQL, of the major version that the clusters have; default ``postgres:18``.
        valkey: Image of Valkey; default ``valkey/valkey:8.1``.
        clickhouse: Image of ClickHouse; default ``clickhouse/clickhouse-server:25.8``.
        tools: Image with a static ``/bin/busybox``, by which services are probed; default ``busybox:1.37-musl``.
    """

    environment: Name | None = None
    postgresql: Image = "postgres:18"
    valkey: Image = "valkey/valkey:8.1"
    clickhouse: Image = "clickhouse/clickhouse-server:25.8"
    tools: Image = "busybox:1.37-musl"


class Trouble(Document, frozen=True):
    """One row of the policy's troubleshooting table.

    Attributes:
        problem: The problem in the policy's words.
        solution: The policy's solution: a command or a sentence.
    """

    problem: str
    solution: str


class Policy(Document, frozen=True):
    """The whole of ``hanbae.yaml``.

    Attributes:
        version: Format of the file; 1.
        language: Language of the CLI and of generated documents.
        argocd: Argo CD and the repository.
        services: Where services are.
        namespaces: The policy's namespaces.
        environments: The environments, in the order of promotion.
        secrets: How secrets reach the cluster.
        migrations: How migrations run.
        rollout: How long a rollout may take.
        registries: How registries are asked for images; the key is the registry as images name it.
        history: Where events are kept.
        checklists: The policy's checklists.
        gateways: How services are reached from outside of a cluster; default not by anything that hanbae writes.
        freezes: When nothing is deployed. `hanbae generate argocd` tells Argo CD as well, which then begins no sync by
            itself.
        notify: Who is told of deployments.
        troubleshooting: The policy's troubleshooting table.
        profile: Which of hanbae's rules are held to: ``policy`` (default, all of them) or ``essential`` (what breaks in
            a cluster or gives a secret away, and nothing of layout or taste).
        local: The local environment.
        rules: The team's own rules for rendered objects, and how grave hanbae's own rules are here.
    """

    version: Literal[1]
    argocd: ArgoCD
    environments: dict[Name, Environment]
    language: Literal["en", "ko"] = "en"
    profile: Profile = "policy"
    services: Services = field(default_factory=Services)
    namespaces: dict[Name, Namespace] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    migrations: Migrations = field(default_factory=Migrations)
    rollout: Rollout = field(default_factory=Rollout)
    registries: dict[RegistryHost, Registry] = field(default_factory=dict)
    history: History = field(default_factory=History)
    checklists: Checklists = field(default_factory=Checklists)
    gateways: Gateways | None = None
    freezes: tuple[Freeze, ...] = ()
    notify: tuple[Receiver, ...] = ()
    troubleshooting: tuple[Trouble, ...] = ()
    local: Local = field(default_factory=Local)
    rules: tuple[OwnRule | RuleSetting, ...] = ()

    @property
    def own_rules(self) -> dict[int, OwnRule]:
        """The team's own rules, by their position in ``rules:``."""
        entries = enumerate(self.rules)
        return {number: entry for number, entry in entries if isinstance(entry, OwnRule)}

    @property
    def rule_settings(self) -> dict[int, RuleSetting]:
        """What the policy says of rules, by its position in ``rules:``."""
        entries = enumerate(self.rules)
        return {number: entry for number, entry in entries if isinstance(entry, RuleSetting)}
