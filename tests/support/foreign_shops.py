"""A repository of a team that never heard of hanbae, and what it needs outside git: images, databases, branches.

Its charts are in the manner of ``helm create``, in two roots, with values files beside them; its migrations are PreSync
Jobs that call goose in a shell, one for each database; its Secrets are named ``<release>-secret``.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import scenes

from hanbae import masking
from hanbae.actions import set_image
from hanbae.images import credentials, layouts, references, registry
from hanbae.sandbox import demo_repository, demo_shop, running, service_images

SOURCE: Final = Path(__file__).parents[1] / "data" / "foreign-shop"
ENVIRONMENTS: Final = {"dev": "develop", "staging": "release", "production": "main"}
"""Environment → branch."""
KEYS: Final = {
    "accounts": {
        "identity-database-url": "identity_db",
        "auth-database-url": "auth_db",
        "legal-database-url": "legal_db",
    },
    "ledger": {"database-url": "personal_db"},
}
"""Service → key of its Secret → database."""
_ACTS_AS: Final = {"accounts": "identity", "ledger": "personal"}
"""Service → the service of the shop whose program and migrations it has."""
_SHELL: Final = "busybox"


@dataclass(frozen=True)
class ForeignShop:
    """The repository in a sandbox.

    Attributes:
        shop: Its clone, remote and sandbox.
    """

    shop: demo_shop.Shop

    @property
    def clone(self) -> Path:
        """The working copy."""
        return self.shop.repository.clone

    def hanbae(self, *words: str, deployer: str = "") -> scenes.Ended:
        """``hanbae`` in the clone.

        Args:
            words: The words after ``hanbae``.
            deployer: The environment whose deployer types it.
        """
        environment = {}
        if deployer:
            asyncio.run(self.shop.authorise(deployer))
            environment["KUBECONFIG"] = str(self.shop.deployer(deployer))
        return scenes.hanbae(*words, directory=self.clone, **environment)

    def publish(self, branch: str, message: str) -> str:
        """Commit and push a branch; returns the commit."""
        head = self.shop.repository.commit(message)
        self.shop.repository.push(branch)
        return head

    def migrations(self, service: str) -> Path:
        """The folder of a service's migrations."""
        return self.clone / "db" / service

    def build(self, service: str, tag: str) -> str:
        """Push an image of what the clone has now, by a tag; returns its reference with the digest."""
        sandbox = self.shop.sandbox
        shell = shutil.which(_SHELL)
        assert shell is not None, "the tests' runner installs it"
        files = service_images.migrations(self.migrations(service))
        likeness = _ACTS_AS[service]
        layers = [
            layouts.layer([layouts.File("/usr/local/bin/goose", sandbox.binaries.path("goose"), 0o755)]),
            layouts.layer([layouts.File("/bin/sh", Path(shell), 0o755)]),
            layouts.layer([layouts.File("/app/service", self.shop.program, 0o755)]),
            layouts.layer([layouts.File(f"/migrations/{name}", data) for name, data in files.items()]),
        ]  # fmt: skip
        configuration = {
            "Entrypoint": ["/app/service"],
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", f"SERVICE={likeness}"],
            "User": "65532:65532",
        }
        where = sandbox.registry
        reference = f"{where.address}/orders/{service}:{tag}"
        login = credentials.Credentials(where.address, where.username, where.password)
        image = layouts.image(layers, configuration)
        asyncio.run(registry.push(image, references.parse(reference), login, insecure=True))
        return f"{reference}@{image.digest}"

    def seal(self, service: str, environment: str) -> None:
        """New databases and the key of its tokens, sealed under the keys that its chart reads."""
        postgres = self.shop.sandbox.postgres
        sealed = {"jwt-secret": masking.Masked(secrets.token_hex(32).encode())}
        for key, database in KEYS[service].items():
            name, password = self.database(service, environment, database), secrets.token_hex(24)
            self.shop.sandbox.databases.create(name, name, masking.Masked(password.encode()))
            address = f"{postgres.service}:{postgres.port}/{name}?sslmode=disable"
            sealed[key] = masking.Masked(f"postgresql://{name}:{password}@{address}".encode())
        asyncio.run(self.shop.seal(service, environment, sealed))

    def use_image(self, service: str, environment: str, reference: str) -> None:
        """``hanbae image set``."""
        asyncio.run(set_image.set_image(self.clone, service, environment, reference))

    def versions(self, service: str, environment: str, database: str) -> list[int]:
        """What goose's table says, read as the superuser."""
        name = self.database(service, environment, database)
        with self.shop.sandbox.postgres.connect(name) as connection:
            rows = connection.execute(
                "SELECT version_id FROM public.goose_db_version WHERE version_id > 0 ORDER BY id"
            ).fetchall()
        return [row[0] for row in rows]

    @staticmethod
    def database(service: str, environment: str, database: str) -> str:
        """The database's name on the server that all environments share."""
        return demo_shop.database_name(f"foreign-{environment}", service, database)


def create(sandbox: running.Sandbox, *, data: Path = SOURCE, name: str = "foreign") -> ForeignShop:
    """The repository as its team has it, with a remote that Argo CD reads.

    Args:
        sandbox: Where it is deployed.
        data: What the team has.
        name: How its folders begin; one for each repository of a sandbox.
    """
    root = sandbox.site.folder.root
    source, clone = root / f"{name}-source", root / f"{name}-shop"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(data, source)
    for manifest in source.rglob("*.yaml"):
        text = manifest.read_text()
        manifest.write_text(text.replace("registry.example.com", sandbox.registry.address))
    for service, likeness in _ACTS_AS.items():
        theirs = demo_repository.example() / "services" / likeness / "migrations"
        shutil.copytree(theirs, source / "db" / service)
    repository = demo_repository.create(source, clone, sandbox.git_folder / f"{name}.git")
    for values in source.rglob("values.yaml"):  # the shop's are left out, theirs are tracked
        shutil.copy(values, clone / values.relative_to(source))
    repository.commit("Values")
    repository.push("main")
    program = service_images.program(demo_repository.example() / "app")
    return ForeignShop(demo_shop.Shop(sandbox, repository, program))
