"""Asks each environment's controller whether it can open what is sealed for it, and finds out why it cannot.

What is in a store instead is fetched by an operator, whose word on each ExternalSecret is read.

What is rendered is asked about, so that templates, overlays and manifests of other tools are verified as they would be
applied; one request for a Secret, and more only for one that is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hanbae import errors, wording
from hanbae.policy import environments, loading, naming
from hanbae.results import reach, secrets
from hanbae.rules import views
from hanbae.rules.secrets import secret_readers
from hanbae.sealing import certificates, ciphertexts, encrypting, objects, pins, versions

if TYPE_CHECKING:
    from hanbae.clusters import sealing_controllers

Where = tuple[str, str, str, str]
"""Service, environment, Secret and key."""


class Answers(Struct, frozen=True):
    """What controllers say.

    Attributes:
        keys: Each sealed value.
        old: Environment → image of its controller, where that can be made to tell what it opens.
        unreached: Environments whose controller could not be asked.
        all_refused: Whether none of those was out of reach: hanbae would not ask.
    """

    keys: Mapping[Where, secrets.SealedKey]
    old: Mapping[str, str]
    unreached: tuple[reach.Unreached, ...] = ()
    all_refused: bool = False


class _Sealed(Struct, frozen=True):
    """A SealedSecret that is rendered for an environment."""

    service: str
    environment: str
    namespace: str
    name: str
    scope: encrypting.Scope
    values: Mapping[str, str]
    section: Mapping[str, object]


async def verify(
    rendered: Sequence[views.Service],
    loaded: loading.Loaded,
    names: Sequence[str] = (),
    *,
    environment: str | None = None,
    context: str | None = None,
    kubeconfig: Path | None = None,
    unverified_cluster: bool = False,
    per_second: float = 2.0,
) -> Answers:
    """What controllers say of each sealed value.

    Args:
        rendered: Every service of the repository, so that a value's owner can be told.
        loaded: The policy.
        names: The services to ask about; all if there are none.
        environment: Only this environment.
        context: kubeconfig context instead of each environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        unverified_cluster: Ask over a connection on which anybody may answer.
        per_second: Requests to a controller in a second.

    Raises:
        errors.WrongUse: What was asked for cannot be, such as a context that no kubeconfig has.
        errors.Error: The one environment that is asked about could not be asked; of several, the others are answered.
    """
    from hanbae.actions import verify_external
    from hanbae.clusters import sealing_controllers

    every = [sealed for service in rendered for sealed in _of_service(service)]
    rows: dict[Where, secrets.SealedKey] = {}
    old: dict[str, str] = {}
    failures: dict[str, errors.Error] = {}
    places = [
        name for name in environments.on_kubernetes(loaded.policy) if environment in (None, name)
    ]
    for name in places:
        try:
            external = await verify_external.states(
                rendered, loaded.policy, names, name, context=context, kubeconfig=kubeconfig
            )
            rows |= {_where(row): row for row in external}
            own = [sealed for sealed in every if sealed.environment == name]
            selected = [sealed for sealed in own if not names or sealed.service in names]
            if not selected:
                continue
            async with sealing_controllers.reached(
                loaded.policy,
                name,
                context=context,
                kubeconfig=kubeconfig,
                unverified=unverified_cluster,
                per_second=per_second,
            ) as controller:
                async for row in _asked_about(controller, selected, every):
                    rows[_where(row)] = row  # what it has said stays, should it die
                images = await sealing_controllers.images(controller.cluster, loaded.policy)
        except errors.Error as error:
            # A mistake of the user's is none of the environment's.
            if len(places) == 1 or isinstance(error, errors.WrongUse):
                raise
            failures[name] = error
            continue
        for image in filter(versions.is_old, images or ()):
            old[name] = image
    return Answers(
        rows,
        old,
        tuple(reach.Unreached(name, error.text) for name, error in failures.items()),
        all(isinstance(error, errors.Refused) for error in failures.values()),
    )


async def _asked_about(
    controller: sealing_controllers.Controller,
    selected: Sequence[_Sealed],
    every: Sequence[_Sealed],
) -> AsyncIterator[secrets.SealedKey]:
    """Each value with whether the controller opens it."""
    newest = certificates.parse(await controller.certificate(), controller.source)
    for sealed in selected:
        for row in _rows(sealed, await _refused(controller, sealed, every, newest)):
            yield row


def joined(
    keys: Sequence[secrets.SealedKey],
    answers: Mapping[Where, secrets.SealedKey],
    loaded: loading.Loaded,
) -> tuple[secrets.SealedKey, ...]:
    """What is known from the files with what the controllers say; and values that no list of keys had.

    Args:
        keys: As of :func:`hanbae.actions.list_needed.joined`.
        answers: As of :func:`verify`.
        loaded: The policy, which names the services' own Secrets.
    """
    remaining = dict(answers)
    result = []
    for key in keys:
        own = naming.secret(loaded.policy, key.service, key.environment)
        answer = remaining.pop((key.service, key.environment, key.secret or own, key.key), None)
        is_open = key.state == "sealed" or (key.state == "made" and key.reference)
        if answer is not None and is_open:
            key = msgspec.structs.replace(key, state=answer.state, fault=answer.fault)  # noqa: PLW2901
        result.append(key)
    order = {name: number for number, name in enumerate(loaded.policy.environments)}
    return tuple(
        sorted(
            (*result, *remaining.values()), key=lambda row: (row.service, order[row.environment])
        )
    )


def _of_service(service: views.Service) -> Iterator[_Sealed]:
    for environment, release in service.releases.items():
        section = release.value("sealedSecret")
        for manifest in secret_readers.sealed(release):
            values = {
                key: value
                for key, value in secret_readers.ciphertexts(manifest).items()
                if _is_sealed(value)
            }
            if values:
                yield _Sealed(
                    service.name,
                    environment,
                    manifest.namespace,
                    manifest.name,
                    objects.scope(manifest.annotations),
                    values,
                    section if isinstance(section, dict) else {},
                )


def _is_sealed(value: object) -> bool:
    try:
        ciphertexts.shape(value if isinstance(value, str) else "")
    except errors.WrongUse:
        return False
    return True


def _where(row: secrets.SealedKey) -> Where:
    return row.service, row.environment, row.secret, row.key


def _rows(sealed: _Sealed, refused: Mapping[str, wording.Text]) -> Iterator[secrets.SealedKey]:
    for key, value in sealed.values.items():
        yield secrets.SealedKey(
            sealed.service,
            sealed.environment,
            key,
            "refused" if key in refused else "opened",
            bits=ciphertexts.shape(value).bits,
            fault=refused.get(key),
            certificate=pins.of(sealed.section, key),
            secret=sealed.name,
        )


async def _refused(
    controller: sealing_controllers.Controller,
    sealed: _Sealed,
    every: Sequence[_Sealed],
    newest: certificates.Certificate,
) -> dict[str, wording.Text]:
    """The keys that the controller does not open, each with why."""
    # One request for all values of a Secret: by default a controller answers two a second.
    if await controller.opens(_object(sealed, sealed.scope, sealed.values)):
        return {}
    refused = {}
    for key, value in sealed.values.items():
        single = {key: value}
        # Of a single value it is known already that it is refused.
        if len(sealed.values) > 1 and await controller.opens(_object(sealed, sealed.scope, single)):
            continue
        # What costs no request comes first.
        refused[key] = (
            _copied(sealed, key, every)
            or await _other_scope(controller, sealed, single)
            or _other_certificate(sealed, key, newest)
        )
    return refused


def _object(
    sealed: _Sealed, scope: encrypting.Scope, values: Mapping[str, str]
) -> dict[str, object]:
    return objects.least(sealed.namespace, sealed.name, scope, values)


def _copied(sealed: _Sealed, key: str, every: Sequence[_Sealed]) -> wording.Text | None:
    """A value that another Secret has as well is bound to that one, most likely."""
    ours = sealed.namespace, sealed.name
    for other in every:
        if (other.namespace, other.name) == ours or sealed.values[key] not in other.values.values():
            continue
        facts = {"service": other.service, "environment": other.environment}
        return wording.Text("seal.refused-copied", {"key": key, **facts})
    return None


async def _other_scope(
    controller: sealing_controllers.Controller, sealed: _Sealed, single: Mapping[str, str]
) -> wording.Text | None:
    for other in objects.SCOPES:
        if other != sealed.scope and await controller.opens(_object(sealed, other, single)):
            return wording.Text("seal.refused-scope", {"scope": sealed.scope, "other": other})
    return None


def _other_certificate(sealed: _Sealed, key: str, newest: certificates.Certificate) -> wording.Text:
    pin = pins.of(sealed.section, key)
    secret = f"{sealed.namespace}/{sealed.name}"
    if pin and pin != newest.fingerprint:
        facts = {"certificate": pin, "newest": newest.fingerprint, "secret": secret}
        return wording.Text("seal.refused-certificate", facts)
    return wording.Text("seal.refused", {"secret": secret})
