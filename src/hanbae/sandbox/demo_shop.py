"""What a repository of services needs outside git before it can be deployed: images, namespaces, databases, secrets.

In a company these come from CI, from the database team and from a vault.
The demo and the end-to-end tests make them here, through the same actions that the commands call.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hanbae import masking
from hanbae.actions import generate_rbac, seal, set_image
from hanbae.argo import authorizing
from hanbae.charts import values
from hanbae.images import credentials, references, registry
from hanbae.migrations import declared_databases
from hanbae.policy import documents, environments, loading, naming
from hanbae.repository import services
from hanbae.sandbox import demo_repository, running, service_images

#: The services share one program; which of them it is, is a matter of configuration.
_VARIABLE: Final = "SERVICE"
_TOKEN_KEY: Final = "JWT_SECRET"  # noqa: S105  a name, no secret


@dataclass(frozen=True)
class Shop:
    """A repository of services in a sandbox.

    Attributes:
        sandbox: Where it is deployed.
        repository: Its clone and remote.
        program: The binary that every service runs.
    """

    sandbox: running.Sandbox
    repository: demo_repository.Repository
    program: Path
    _token_keys: dict[str, masking.Masked] = field(default_factory=dict, repr=False)
    _authorised: dict[str, bytes] = field(default_factory=dict, repr=False)
    _kubeconfigs: dict[str, Path] = field(default_factory=dict, repr=False)

    @property
    def loaded(self) -> loading.Loaded:
        """The policy, as the clone has it now."""
        return services.of_folder(loading.load(self.repository.clone / loading.NAME))

    @property
    def policy(self) -> documents.Policy:
        """The policy."""
        return self.loaded.policy

    @property
    def services(self) -> tuple[str, ...]:
        """The services of the clone."""
        return services.of_checkout(self.loaded)

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments on Kubernetes, in the order of promotion."""
        return environments.on_kubernetes(self.policy)

    def namespaces(self, environment: str) -> tuple[str, ...]:
        """The namespaces that have services in them."""
        every = (naming.namespace(self.policy, service, environment) for service in self.services)
        return tuple(sorted(set(every)))

    def apply(self, folder: str | Path) -> None:
        """``kubectl apply -k`` of a folder of the clone."""
        self.sandbox.apply(self.repository.clone / folder)

    def prepare_namespaces(self, environment: str) -> None:
        """The environment's overlay, and in each namespace of services the registry's pull secret."""
        overlay = self.policy.environments[environment].overlay
        if overlay:
            self.apply(overlay)
        self.sandbox.push_credentials(self.namespaces(environment))

    async def authorise(self, environment: str) -> None:
        """``hanbae generate rbac``, applied by the administrator: the deployer, and what it may do in this environment.

        The services are those of the clone as it is now. What was applied and has not changed is not applied again,
        which costs processor time for nothing.
        """
        await generate_rbac.generate_rbac(self.repository.clone, environments=[environment])
        folder = f"{generate_rbac.FOLDER}/{environment}"
        rights = hashlib.sha256()
        for path in sorted((self.repository.clone / folder).rglob("*.yaml")):
            rights.update(path.read_bytes())
        if self._authorised.get(environment) != rights.digest():
            self.apply(folder)
            self._authorised[environment] = rights.digest()

    def deployer(self, environment: str) -> Path:
        """A kubeconfig of who deploys to the environment, and may do nothing else; made once, for a day."""
        namespace = authorizing.namespace(self.policy, environment)
        if namespace not in self._kubeconfigs:
            account = authorizing.ACCOUNT
            self._kubeconfigs[namespace] = self.sandbox.kubeconfig_of(account, namespace)
        return self._kubeconfigs[namespace]

    async def push(self, service: str, *, acts_as: str | None = None) -> str:
        """Make the service's image out of what the clone has, and push it.

        Args:
            service: The service.
            acts_as: Which of the shop's services its program is to be; by default the one of this name.

        Returns:
            The image's reference with digest.
        """
        folder = self.repository.clone / naming.migrations_folder(self.policy, service)
        programs = self.sandbox.binaries
        has_runner = self.policy.migrations.runner == naming.RUNNER
        image = service_images.image(
            service,
            self.program,
            programs.path("goose"),
            service_images.migrations(folder),
            environment={_VARIABLE: acts_as or service},
            # goose is there as well: charts that were not upgraded since call it.
            runner=programs.path(naming.RUNNER) if has_runner else None,
        )
        where = self.sandbox.registry
        reference = references.parse(f"{where.address}/shop/{service}@{image.digest}")
        login = credentials.Credentials(where.address, where.username, where.password)
        await registry.push(image, reference, login, insecure=True)
        return str(reference)

    async def use_image(self, service: str, environment: str, reference: str) -> None:
        """``hanbae image set``."""
        await set_image.set_image(self.repository.clone, service, environment, reference)

    def name_image(self, service: str, environment: str, reference: str) -> None:
        """What ``hanbae new service --image`` writes: where the image is, and not yet which it is."""
        path, file = services.values_file(self.loaded, service, environment)
        with values.editing(path, file) as document:
            document.update({("image", "repository"): reference.partition("@")[0]})

    def declare_endpoint(self, service: str, environment: str) -> None:
        """What a team writes below ``smoke:``, which a scaffold does not know: what must answer after a deployment."""
        path, _ = services.values_file(self.loaded, service, environment)
        path.write_text(f"{path.read_text()}\nsmoke:\n  - path: /healthz\n")

    def declared(self, service: str, environment: str) -> tuple[declared_databases.Database, ...]:
        """The databases that the service's values declare, in the order of migration."""
        path, file = services.values_file(self.loaded, service, environment)
        document = values.read(path, file).data
        return declared_databases.declared(
            document, service, wave=self.policy.migrations.wave, file=file
        )

    def make_databases(self, service: str, environment: str) -> dict[str, masking.Masked]:
        """Have the service's databases, each with an owner of its own, whose password is new.

        Returns:
            The URLs, by their key in the service's Secret.
        """
        server, urls = self.sandbox.postgres, {}
        for database in self.declared(service, environment):
            name = database_name(environment, service, database.name)
            # Hexadecimal, so that it stands in a URL as it is.
            password = secrets.token_hex(24)
            self.sandbox.databases.create(name, name, masking.Masked(password.encode()))
            url = f"postgresql://{name}:{password}@{server.service}:{server.port}/{name}?sslmode=disable"
            urls[database.url_key] = masking.Masked(url.encode())
        return urls

    async def seal(
        self, service: str, environment: str, plaintexts: Mapping[str, masking.Masked]
    ) -> None:
        """``hanbae secrets seal``."""
        await seal.seal(
            self.repository.clone,
            service,
            environment,
            plaintexts,
            kubeconfig=self.sandbox.kubeconfig,
        )

    def token_key(self, environment: str) -> masking.Masked:
        """What the environment's services sign and check tokens with; one for all of them."""
        key = self._token_keys.get(environment)
        if key is None:
            key = self._token_keys[environment] = masking.Masked(secrets.token_hex(32).encode())
        return key

    async def seal_all(self, service: str, environment: str) -> None:
        """New databases' URLs and the environment's token key, sealed for the service."""
        urls = self.make_databases(service, environment)
        await self.seal(service, environment, urls | {_TOKEN_KEY: self.token_key(environment)})


def database_name(environment: str, service: str, database: str) -> str:
    """A database of a server that all environments share: ``dev_identity_legal_db``."""
    return f"{environment}_{service}_{database}".replace("-", "_")


def addresses(
    sandbox: running.Sandbox, repository: demo_repository.Repository
) -> dict[tuple[str, ...], str | bool]:
    """What ``hanbae.yaml`` says of a sandbox: where the repository is, and that the registry speaks plain HTTP."""
    return {
        ("argocd", "repository"): repository.url,
        ("registries", sandbox.registry.address, "plain_http"): True,
    }


def create(
    sandbox: running.Sandbox, source: Path, clone: Path, *, edits: Mapping[str, str]
) -> Shop:
    """A fresh repository of the example in the sandbox's git folder.

    Args:
        sandbox: The sandbox.
        source: The example.
        clone: Where the working copy goes.
        edits: More values of ``hanbae.yaml`` that differ from the example's, by key path.
    """
    remote = sandbox.git_folder / "shop.git"
    repository = demo_repository.create(source, clone, remote)
    with values.editing(clone / loading.NAME, loading.NAME) as policy:
        policy.update(addresses(sandbox, repository))
        policy.update({tuple(key.split(".")): value for key, value in edits.items()})
    return Shop(sandbox, repository, service_images.program(source / "app"))
