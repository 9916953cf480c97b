"""Generated repositories of realistic charts: the scaffold's, with variations."""

from __future__ import annotations

import base64
import random
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hanbae.charts import founding, scaffolding
from hanbae.policy import loading, naming

DATABASES: tuple[list[str], ...] = (["main_db"], ["main_db", "audit_db"], [])
PLACES = {"dev": "dev", "staging": "staging", "production": "www"}


FAULTS: tuple[tuple[str, str], ...] = (
    ("        runAsNonRoot: true\n", ""),
    ("        seccompProfile:\n          type: RuntimeDefault\n", ""),
    ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ("drop: [ALL]", "add: [NET_ADMIN]"),
    ("automountServiceAccountToken: false", "automountServiceAccountToken: true"),
    ("  revisionHistoryLimit: 5\n", ""),
    ("            sizeLimit: 64Mi\n", "            medium: Memory\n"),
    ("maxUnavailable: 0", "maxUnavailable: 100%"),
    ("/readyz", "/healthz"),
    ("              port: http\n            periodSeconds: 5\n", "              port: 8081\n"),
    ("                seconds: 5\n", "                seconds: 60\n"),
)
"""What a team might have written into a Deployment instead."""


def repository(root: Path, services: int, *, faulty: bool = False) -> None:
    """A clone with a policy of three environments and this many services, committed.

    Args:
        root: Where it is.
        services: How many services.
        faulty: Whether each has some sixteen faults, in its chart and its values.
    """
    text = founding.policy_file("https://git.example.com/shop.git", language="en", one_cluster=True)
    policy = loading.parse(text.encode(), "hanbae.yaml")[0]
    files = {"hanbae.yaml": text, ".gitignore": founding.ignored(policy) + "\n"}
    files |= founding.cluster_files(policy)
    for number in range(services):
        files |= _service(policy, f"service{number:04}", number, faulty=faulty)
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Begin"]):
        command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", *words]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)


def _service(policy: Any, name: str, number: int, *, faulty: bool) -> dict[str, str]:
    databases = DATABASES[number % len(DATABASES)]
    files: dict[str, str] = scaffolding.chart_files(name, policy, databases=databases)
    for environment in policy.environments:
        if policy.environments[environment].platform == "kubernetes":
            path = str(naming.values_file(policy, name, environment))
            files[path] = _varied(files[path], number, environment)
            if faulty:
                files[path] = _faulty_values(files[path], environment)
    folder = naming.migrations_folder(policy, name)
    for database in databases:
        where = folder / database if len(databases) > 1 else folder
        for step in range(2, 6):
            files[f"{where}/{step:05}_step.sql"] = (
                f"-- +goose Up\nCREATE TABLE t{step} (id bigint PRIMARY KEY);\n"
                f"-- +goose Down\nDROP TABLE t{step};\n"
            )
    if faulty:
        deployments = {
            path: text for path, text in files.items() if path.endswith("/deployment.yaml")
        }
        files |= {path: _replaced(text, FAULTS) for path, text in deployments.items()}
    return files


def _faulty_values(values: str, environment: str) -> str:
    faults = (
        ("env: {}", f"env:\n  LOG_LEVEL: debug\n  API_PASSWORD: hunter2-{environment}"),
        ("    cpu: 50m\n", ""),
        ('tag: ""\n', "tag: latest\n"),
    )
    return _replaced(values, faults)


def _replaced(text: str, replacements: Iterable[tuple[str, str]]) -> str:
    for before, after in replacements:
        text = text.replace(before, after)
    return text


def _varied(values: str, number: int, environment: str) -> str:
    """An environment's values as a team would have them: an image, sealed secrets, sizes of its own."""
    place = list(PLACES).index(environment)
    chance = random.Random(number * 10 + place)  # noqa: S311  only well-formed, nothing is encrypted
    keys = [*dict.fromkeys(re.findall(r"urlKey: (\w+)", values)), "JWT_SECRET"]
    # The length of the encrypted key, that key, and an encrypted value: what kubeseal writes.
    shapes = {key: (512).to_bytes(2, "big") + chance.randbytes(512 + 16 + 40) for key in keys}
    sealed = "".join(f"\n    {key}: {base64.b64encode(shapes[key]).decode()}" for key in keys)
    replacements = (
        ('digest: ""', f'digest: "sha256:{number:064x}"'),
        ("replicas: 1", f"replicas: {2 + (number + place) % 4}"),
        ("encryptedData: {}", f"certificate: sha256:{7:064x}\n  encryptedData:{sealed}"),
        ("memory: 256Mi", f"memory: {128 * (1 + number % 3)}Mi"),
        (".example.com\n", f".{PLACES[environment]}.example.com\n"),
    )
    values = _replaced(values, replacements)
    if number % 2:
        values = values.replace("autoscaling:\n  enabled: false", "autoscaling:\n  enabled: true")
    if number % 5 == 0:
        values = values.replace("ingress:\n  enabled: false", "ingress:\n  enabled: true")
    return values
