"""What a service's values say already of what its scaffolding depends on: its databases, its port, its image."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from hanbae.charts import scaffold_record, scaffolding, values
from hanbae.policy import documents

_PORT: Final = 8080


class Answers(Struct, frozen=True):
    """What is scaffolded with; the defaults are a new service's.

    Attributes:
        databases: Names of the databases in the order of migration; none for one, ``<service>_db``.
        port: Port that the process listens on.
        image: Repository of the image, without tag; None for a placeholder.
    """

    databases: tuple[str, ...] = ()
    port: int = _PORT
    image: str | None = None


def read(root: Path, policy: documents.Policy, service: str) -> Answers:
    """Read the first values file of a service that is there; odd content is left to the schema of the chart.

    Args:
        root: The repository.
        policy: The policy.
        service: The service, or what somebody took for the name of one.
    """
    # Something that is not a name, such as `../x`, would lead to files outside of the chart's folder.
    if not scaffolding.is_name(service):
        return Answers()
    for path in sorted(scaffold_record.values_files(policy, service)):
        if (root / path).is_file():
            break
    else:
        return Answers()
    document = values.read(root / path, path)
    image, port = document.get("image.repository"), document.get("service.port")
    rows = document.get("migration.databases")
    listed = rows if isinstance(rows, list) else []
    names = [row.get("name") for row in listed if isinstance(row, dict)]
    return Answers(
        databases=tuple(name for name in names if isinstance(name, str)),
        port=port if isinstance(port, int) else _PORT,
        image=image if isinstance(image, str) else None,
    )
