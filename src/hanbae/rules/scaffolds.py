"""Whether a chart is one that hanbae has scaffolded: `hanbae upgrade` then brings what the policy asks for by now.

A chart of others, or one that lost the record of what was scaffolded, is edited by hand.
"""

from __future__ import annotations

from hanbae import errors
from hanbae.charts import scaffold_record
from hanbae.rules import views


def is_upgraded(service: views.Service, file: str = "") -> bool:
    """Whether `hanbae upgrade` looks after a service's chart.

    Args:
        service: The service.
        file: A file that must be among what was scaffolded, relative to the repository; empty where the chart is
            enough.
    """
    record = service.text(scaffold_record.path(service.policy, service.name))
    if record is None or not file:
        return record is not None
    try:
        return file in scaffold_record.read(service.policy, service.name, record)
    except errors.FileFault:  # and `hanbae upgrade` would say so
        return False
