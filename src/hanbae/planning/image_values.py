"""Which values an image of a service is written into, and which image an environment names.

What would be written is rendered before anything is written: a chart that makes another image of it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, subjects
from hanbae.charts import pools, rendering, values
from hanbae.images import references
from hanbae.planning import image_keys, kustomize_parameters, releases
from hanbae.policy import documents, naming
from hanbae.repository import trees

_REPOSITORY: Final = ("image", "repository")
_TAG: Final = ("image", "tag")
_DIGEST: Final = ("image", "digest")


class Target(Struct, frozen=True):
    """A service in an environment: its values file, and where its images are from.

    Attributes:
        service: The service.
        environment: The environment.
        document: The environment's own values file.
        request: The release as it is asked for.
        chart: Folder of its chart.
        images: Its images; None where the chart does not render.
        overrides: What its Application, or a file beside its chart, lays over the values files.
    """

    service: str
    environment: str
    document: values.Values
    request: pools.Release
    chart: str
    images: tuple[image_keys.Source, ...] | None
    overrides: releases.Overrides

    @property
    def image(self) -> str:
        """The image that it names now; empty where it names none."""
        named = _named(self.document)
        if named or not self.images:
            return named
        return image_keys.chosen(self.images, self.service, "")[0].reference

    @property
    def begun(self) -> str:
        """The image that it names, once somebody has named more than the repository; else empty."""
        named = bool(_named(self.document))
        tagged = self.document.get(_TAG) or self.document.get(_DIGEST)
        return self.image if tagged or not named else ""

    @property
    def place(self) -> subjects.Place:
        """Where its image is named."""
        return self.document.place(_REPOSITORY)

    @property
    def repository(self) -> str:
        """The repository of its image; empty where it names none."""
        named = str(self.document.get(_REPOSITORY) or "")
        return named or kustomize_parameters.split(self.image)[0]


class Change(Struct, frozen=True):
    """What is written so that an image runs.

    Attributes:
        values: Path of keys → value.
        image: The image that is rendered then.
        digest: Its digest; empty where none is rendered.
    """

    values: Mapping[tuple[str, ...], str]
    image: str
    digest: str


async def read(
    pool: pools.Pool,
    tree: trees.Tree,
    policy: documents.Policy,
    service: str,
    environment: str,
    *,
    document: values.Values,
) -> Target:
    """A service in an environment.

    Args:
        pool: Renders.
        tree: The files.
        policy: The policy, located in the tree.
        service: A service with a chart.
        environment: The environment.
        document: The environment's own values file.

    Raises:
        hanbae.errors.FileFault: Its chart does not render, and its values name no image either.
    """
    chart = str(naming.chart(policy, service))
    texts = releases.values(tree, policy, service, environment).contents
    overrides = releases.overrides(tree, policy, service, environment, texts)
    request = releases.requested(tree, policy, service, environment, texts, overrides=overrides)
    sources = None
    try:
        sources = await image_keys.of(pool, tree, chart, request)
    except errors.FileFault:
        if not document.get(_REPOSITORY):
            raise
    return Target(service, environment, document, request, chart, sources, overrides)


async def changes(
    pool: pools.Pool, tree: trees.Tree, target: Target, reference: references.Reference
) -> Change:
    """What is written so that an image runs, and what runs then: rendered before anything is written.

    Args:
        pool: Renders.
        tree: The files.
        target: The service.
        reference: The image.

    Raises:
        hanbae.errors.Refused: No value makes the image, or the chart renders another one with what would be written.
    """
    if target.images is None:  # nothing can be tried; the values say which image it is
        contract: dict[tuple[str, ...], str] = {
            _REPOSITORY: reference.repository,
            _TAG: reference.tag,
            _DIGEST: reference.digest,
        }
        return Change(contract, str(reference), reference.digest)
    sources = image_keys.chosen(target.images, target.service, reference.repository)
    changed: dict[tuple[str, ...], str] = {}
    for source in sources:
        changed |= image_keys.changes(source.keys, reference)
    edited = values.Values.parse(target.document.text(), target.document.file)
    edited.update(changed)
    own = target.document.text().encode()
    # The environment's own file is one of several and has no name here, so it is found by its content.
    texts = tuple(edited.text().encode() if text == own else text for text in target.request.values)
    request = msgspec.structs.replace(target.request, values=texts)
    (answer,) = await rendering.answers(pool, tree, target.chart, [request])
    after = image_keys.images(
        rendering.rendered(answer, chart=target.chart, values_files=request.values_files)
    )
    for source in sources:
        image = after.get(source.container, "")
        if not image_keys.is_image(image, reference, source.keys):
            raise _otherwise(target, changed, reference, image or "-")
    image = str(reference)
    # No value of this chart takes a digest: only the tag was written, and nothing else may be said.
    if reference.digest and not any("@" in after[source.container] for source in sources):
        return Change(changed, image.partition("@")[0], "")
    return Change(changed, image, reference.digest)


def _otherwise(
    target: Target,
    changed: Mapping[tuple[str, ...], str],
    reference: references.Reference,
    image: str,
) -> errors.Refused:
    """That what would be written makes another image: something wins over it, or the templates make it so."""
    keys = [".".join(path) for path in changed]
    facts = {"reference": str(reference), "image": image, "keys": ", ".join(keys)}
    winning = [key for key in keys if key in target.overrides.names]
    if winning and target.overrides.place is not None:
        facts |= {"keys": ", ".join(winning), "file": target.document.file}
        return errors.Refused("image.overridden", place=target.overrides.place, **facts)
    place = target.document.place(next(iter(changed)))
    return errors.Refused("image.rendered-otherwise", place=place, **facts)


def _named(document: values.Values) -> str:
    """The image that a values file names, as the chart puts it together."""
    repository, tag, digest = (document.get(path) or "" for path in (_REPOSITORY, _TAG, _DIGEST))
    if not repository:
        return ""
    return f"{repository}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
