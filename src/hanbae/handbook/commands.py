"""The commands of the policy document, with this repository's names; hanbae's where it has the better one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hanbae.handbook import facts, markdown, tables
from hanbae.handbook.telling import Telling
from hanbae.policy import naming

_MOST: Final = 40
"""Services that have commands of their own in a block; the tables name the rest."""
_SEALED: Final = "templates/sealed-secret.yaml"
_ASIDE: Final = "/tmp/sealed.yaml"  # noqa: S108 - the policy's own commands, which a person types


def secrets_by(telling: Telling) -> str:
    """What brings secrets into the cluster."""
    return "External Secrets" if telling.policy.secrets.are_external else "Sealed Secrets"


def sealing(telling: Telling) -> str:
    """How each service's values are sealed with hanbae."""

    def lines() -> Iterator[str]:
        for service, environment, _, keys in _sealed(telling):
            names = keys or ("KEY",)
            yield markdown.command(
                "hanbae", "secrets", "seal", service.name, *names, "--env", environment
            )
        yield "hanbae secrets list"
        yield "hanbae secrets verify"

    return markdown.block(lines())


def referring(telling: Telling) -> str:
    """How it is seen what ExternalSecrets refer to."""

    def lines() -> Iterator[str]:
        yield "hanbae secrets list"
        for environment in telling.clusters:
            yield markdown.command("hanbae", "secrets", "verify", "--live", "--env", environment)
        for service, environment, name, _ in _sealed(telling):
            namespace = telling.namespace(service.name, environment)
            yield markdown.command("kubectl", "describe", "externalsecret", name, "-n", namespace)

    return markdown.block(lines())


def kubeseal(telling: Telling) -> str:
    """How they are sealed without it."""
    blocks = [markdown.block(_kubeseal(telling, *entry)) for entry in _sealed(telling)]
    return "\n\n".join(blocks) or telling.none("no-secrets")


def _sealed(telling: Telling) -> Iterator[tuple[facts.Service, str, str, tuple[str, ...]]]:
    """The Secret of each service in the first environment that has it: service, environment, name, keys."""
    for service in telling.services[:_MOST]:
        for environment, deployed in service.deployments():
            name = naming.secret(telling.policy, service.name, environment)
            if name in deployed.secrets:
                yield service, environment, name, deployed.secrets[name]
                break


def _kubeseal(
    telling: Telling, service: facts.Service, environment: str, name: str, keys: Sequence[str]
) -> Iterator[str]:
    namespace = telling.namespace(service.name, environment)
    home, _, controller = telling.policy.secrets.controller.partition("/")
    scope = (
        ()
        if telling.policy.secrets.scope == "strict"
        else ("--scope", telling.policy.secrets.scope)
    )
    yield f"# Create secret YAML (locally, never commit): {markdown.line(name)}, {environment}"
    yield f"kubectl create secret generic {markdown.command(name)} -n {namespace} \\"
    for key in keys or ("KEY",):
        yield f"  --from-literal={markdown.command(key)}='…' \\"
    yield "  --dry-run=client -o yaml > /tmp/secret.yaml"
    yield ""
    where = _ASIDE
    if service.is_sealed_in_template:
        where = f"{service.folder}/{_SEALED}"
    yield "# Seal the secret"
    seal = markdown.command(
        "kubeseal", "--format", "yaml", *scope,
        "--controller-namespace", home, "--controller-name", controller,
    )  # fmt: skip
    yield f"{seal} < /tmp/secret.yaml > {markdown.command(where)}"
    if not service.is_sealed_in_template:
        file = naming.values_file(telling.policy, service.name, environment)
        yield f"# spec.encryptedData belongs to sealedSecret.encryptedData in {markdown.line(str(file))}"
    yield ""
    yield "# Clean up plaintext"
    yield "rm /tmp/secret.yaml"


def deploying(telling: Telling) -> str:
    """Deployments by hanbae, to each environment."""

    def lines() -> Iterator[str]:
        for environment in telling.clusters:
            yield f"# {environment}"
            yield markdown.command("hanbae", "plan", "--env", environment)
            for service in telling.services[:_MOST]:
                if environment in service.environments:
                    yield markdown.command("hanbae", "deploy", service.name, "--env", environment)

    return markdown.block(lines())


def kustomize(telling: Telling) -> str:
    """The overlays of the environments."""
    overlays = [
        settings.overlay for settings in telling.policy.environments.values() if settings.overlay
    ]
    if not overlays:
        return telling.none("no-overlays")
    lines = [markdown.command("kubectl", "apply", "-k", overlay) for overlay in overlays]
    return markdown.block(["# Apply overlay", *lines, "hanbae generate namespaces --check"])


def helm(telling: Telling) -> str:
    """Releases by hand."""
    lines = list(_helm(telling))
    return markdown.block(lines) if lines else telling.none("no-charts")


def _helm(telling: Telling) -> Iterator[str]:
    policy = telling.policy
    for service in telling.services[:_MOST]:
        for environment in service.environments if service.folder else ():
            release = naming.release(policy, service.name, environment)
            files = naming.values_files(policy, service.name, environment)
            values = [word for file in files for word in ("-f", str(file))]
            place = ("-n", telling.namespace(service.name, environment))
            for verb in ("install", "upgrade"):
                yield markdown.command("helm", verb, release, service.folder, *values, *place)


def rollout(telling: Telling) -> str:
    """Restart, status and undo, of every workload that kubectl can do that with."""
    titles = {"restart": "Restart deployment", "status": "Check status", "undo": "Rollback"}

    def lines() -> Iterator[str]:
        for verb, title in titles.items():
            yield f"# {title}"
            for service, environment, workload in _last(telling):
                yield markdown.command(
                    "hanbae", "rollout", verb, service.name, "--env", environment
                )
                namespace = telling.namespace(service.name, environment)
                yield markdown.command("kubectl", "rollout", verb, workload, "-n", namespace)

    return markdown.block(lines()) if _last(telling) else telling.none("no-pods")


def _last(telling: Telling) -> list[tuple[facts.Service, str, str]]:
    """Each workload once, in the last environment that has it."""
    last = {(entry[0].name, entry[2]): entry for entry in telling.followed()}
    return list(last.values())[:_MOST]


def logs(telling: Telling) -> str:
    """The log of each migration."""
    lines = tables.unique(
        markdown.command(
            "kubectl", "logs", f"{migration.kind.lower()}/{migration.job}",
            "-n", telling.namespace(service.name, environment),
        )
        for service, environment, migration in telling.migrations()
    )  # fmt: skip
    return markdown.block(lines) if lines else telling.none("no-migrations")
