"""Has the files of one environment name the images that another one was proven to run."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hanbae import errors, subjects, wording
from hanbae.charts import pools, values
from hanbae.images import references
from hanbae.planning import image_keys, image_lines, image_values, manifests
from hanbae.policy import documents, naming, service_paths
from hanbae.repository import trees
from hanbae.results import images


class Edited(Struct, frozen=True):
    """What names an image now.

    Attributes:
        files: Path → content.
        image: What was written.
    """

    files: Mapping[str, bytes]
    image: images.ImageSet

    @property
    def notes(self) -> tuple[wording.Text, ...]:
        """What a person should know of it."""
        if self.image.digest:
            return ()
        facts = {"service": self.image.service, "image": self.image.image}
        return (wording.Text("promotion.tag-only", facts),)


async def taken(
    pool: pools.Pool,
    policy: documents.Policy,
    proven: trees.Tree,
    tree: trees.Tree,
    service: str,
    *,
    environments: tuple[str, str],
) -> Edited:
    """Have an environment's files name the image that another one was proven to run.

    Args:
        pool: Renders.
        policy: The policy, located in the proven tree.
        proven: The files that were proven.
        tree: The files that are to be.
        service: The service.
        environments: The one that it was proven in, and the one whose files are edited.

    Raises:
        hanbae.errors.FileFault: There is nothing for the environment, or it names no image that could be taken.
        hanbae.errors.Refused: Its chart renders another image with what would be written.
    """
    if service_paths.has_no_chart(policy.services, service):
        return await _on_lines(policy, proven, tree, service, environments)
    source, target = environments
    before = await _read(pool, policy, proven, service, source)
    if not before.begun:
        raise errors.FileFault("image.none-to-take", place=before.place, service=service)
    after = await _read(pool, policy, tree, service, target)
    change = await image_values.changes(pool, tree, after, references.parse(before.begun))
    # A copy: the document as it was is needed to tell whether anything changes.
    document = values.Values.parse(after.document.text(), after.document.file)
    document.update(change.values)
    file, text = after.document.file, document.text()
    written = images.ImageSet(
        service,
        target,
        file,
        after.image,
        change.image,
        change.digest,
        text != after.document.text(),
    )
    return Edited({file: text.encode()}, written)


async def _read(
    pool: pools.Pool, policy: documents.Policy, tree: trees.Tree, service: str, environment: str
) -> image_values.Target:
    file = str(naming.values_file(policy, service, environment))
    data = tree.read(file)
    if data is None:
        place = subjects.Place(file)
        raise errors.FileFault("promotion.no-values", place=place, environment=environment)
    document = values.Values.parse(data.decode("utf-8", "replace"), file)
    return await image_values.read(pool, tree, policy, service, environment, document=document)


async def _on_lines(
    policy: documents.Policy,
    proven: trees.Tree,
    tree: trees.Tree,
    service: str,
    environments: tuple[str, str],
) -> Edited:
    """The same of a service without a chart: in its overlay, or on the lines of its manifests."""
    source, target = environments
    release = await manifests.make(policy, proven, service, source, origins=True)
    image = image_keys.chosen(image_lines.of(release), service, "")[0].reference
    reference = references.parse(image)
    after = await manifests.make(policy, tree, service, target, origins=True)
    own = image_keys.chosen(image_lines.of(after), service, reference.repository)
    files = image_lines.written(tree, after, own, reference)
    changed = any(tree.read(path) != content for path, content in files.items())
    written = images.ImageSet(
        service, target, after.file, own[0].reference, image, reference.digest, changed
    )
    return Edited(files, written)
