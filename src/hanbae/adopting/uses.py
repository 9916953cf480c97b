"""Which Application is of which service and environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from hanbae.adopting import chart_folders, environments, shared_charts
from hanbae.adopting.survey import Survey
from hanbae.adopting.surveyed_applications import Application


class Use(Struct, frozen=True):
    """An Application, with the service and the environment that it is of."""

    application: Application
    service: str
    environment: str


def of(survey: Survey, layout: chart_folders.Layout, names: Sequence[str]) -> Iterable[Use]:
    """The Applications that deploy services.

    Args:
        survey: What there is.
        layout: Where the services are.
        names: The environments; the first counts where nothing says which one an Application is of.
    """
    for application in survey.applications:
        service, own = layout.places.get(application.path, ("", ""))
        service = layout.shared.get(application.name, service)
        if not service:
            continue
        word = own or shared_charts.word(application)
        environment = next((name for name in names if environments.same(name, word)), names[0])
        yield Use(application, service, environment)
