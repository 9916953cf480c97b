"""Whether a chart is one that hanbae has scaffolded: `hanbae upgrade` then brings what the policy asks for by now.

A chart of others, or one that lost the record of what was scaffolded, is edited by hand.
"""

from __future__ import annotations

from hanbae.charts import scaffold_record
from hanbae.rules import views


def is_upgraded(service: views.Service, file: str = "") -> bool:
    """Whether `hanbae upgrade` looks after a service's chart.

    Args:
        service: The service.
        file: The end of a file's path that must be among what was scaffolded; empty where the chart is enough.
    """
    record = service.text(scaffold_record.path(service.policy, service.name))
    return record is not None and file in record
