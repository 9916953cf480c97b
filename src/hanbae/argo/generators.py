"""How an ApplicationSet finds the services of a branch: one git generator for each glob and each service by name.

Decisions, and why:

- A glob with something behind its ``*`` finds folders: a file that is broken in one chart keeps no other service from
  being seen.
- A glob that ends in its ``*`` finds ``Chart.yaml``: whatever else lies beside the charts is none. The files generator
  takes ``*`` for any path unless the controller is told otherwise, so charts within charts are excluded.
- A service that the policy names is found by itself and by no glob.
- Overlays and plain manifests are found by their folders: nothing but a file's name tells one from the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae.policy import documents, folders, naming, service_paths

CHART: Final = "Chart.yaml"


class Finder(Struct, frozen=True):
    """A git generator.

    Attributes:
        finds: What it looks for: ``directories`` or ``files``.
        service: The expression for the service's name, or the name itself.
        glob: What it is for; None for one service.
        name: The service that it is for; empty for those of a glob.
        overlay: Whether it finds folders without a chart.
    """

    finds: Mapping[str, Any]
    service: str
    glob: service_paths.Glob | None = None
    name: str = ""
    overlay: bool = False


def shows_migrations(policy: documents.Policy, environment: str) -> bool:
    """Whether a generator can read in every service's values whether it migrates: they lie in the chart."""
    if service_paths.follow_from_names(policy.services):
        return bool(_inside(policy, "s", environment))
    names = (*("s" for _ in policy.services.paths), *policy.services.named)
    return all(_inside(policy, name, environment) for name in names)


def has_second_source(policy: documents.Policy, environment: str) -> bool:
    """Whether some Application has a second source, because values files lie outside of its chart."""
    names = [(policy, name) for name in policy.services.named]
    names += [
        (of_glob(policy, Finder({}, "", glob)), "s")
        for glob in service_paths.globs(policy.services)
    ]
    return any(
        not file.inside
        for only, name in names
        for file in naming.values_sources(only, name, environment)
    )


def of(policy: documents.Policy, environment: str, *, selective: bool = False) -> Iterator[Finder]:
    """The generators of an environment.

    Args:
        policy: The policy.
        environment: The environment.
        selective: Whether they read the environment's values files.
    """
    apart = _apart(policy, environment)
    for glob in service_paths.globs(policy.services):
        service = f"{{{{ index .path.segments {glob.before.count('/')} }}}}"
        excluded = [*_excluded(policy, glob), *(f for f in apart.values() if _is_of(glob, f))]
        if selective:
            file = _inside(of_glob(policy, Finder({}, "", glob)), "*", environment)
            finds = _files(glob.folder("*"), file, excluded)
        elif glob.after:
            paths = [{"path": path, "exclude": True} for path in excluded]
            finds = {"directories": [{"path": glob.folder("*")}, *paths]}
        else:
            finds = _files(glob.folder("*"), CHART, excluded)
            # Charts within charts are none of the services: `*` in the path of a file crosses
            # slashes, too.
            finds["files"].append({"path": f"{glob.folder('*')}/*/{CHART}", "exclude": True})
        yield Finder(finds, service, glob)
    for glob in service_paths.overlay_globs(policy.services, environment):
        service = f"{{{{ index .path.segments {glob.before.count('/')} }}}}"
        excluded = [*_excluded(policy, glob), *(f for f in apart.values() if _is_of(glob, f))]
        without = [{"path": path, "exclude": True} for path in excluded]
        finds = {"directories": [{"path": glob.folder("*")}, *without]}
        yield Finder(finds, service, glob, overlay=True)
    for name, folder in apart.items():
        if service_paths.chartless_folder(policy.services, name, environment) is not None:
            yield Finder({"directories": [{"path": folder}]}, name, None, name)
            continue
        file = _inside(policy, name, environment) if selective else CHART
        yield Finder(_files(folder, file, ()), name, None, name)


def of_glob(policy: documents.Policy, finder: Finder) -> documents.Policy:
    """The policy as if a generator's glob were its only one, for names that are expressions."""
    glob = finder.glob
    if glob is None:
        return policy
    services = policy.services
    fields = {field: getattr(services, field) for field in documents.Services.__struct_fields__}
    fields |= {"path": glob.folder("*"), "named": {}}
    return msgspec.structs.replace(policy, services=documents.Services(**fields))


def _files(folder: str, file: str, excluded: Any) -> dict[str, Any]:
    without = [{"path": folders.path(path, file), "exclude": True} for path in excluded]
    return {"files": [{"path": folders.path(folder, file)}, *without]}


def _inside(policy: documents.Policy, service: str, environment: str) -> str:
    """The path in the chart of an environment's own values file; empty for one that lies elsewhere."""
    own = str(naming.values_file(policy, service, environment))
    files = naming.values_sources(policy, service, environment)
    return next((file.inside for file in files if file.path == own), "")


def _apart(policy: documents.Policy, environment: str) -> dict[str, str]:
    """The services that the policy names and whose Application therefore is another one, and their folders."""
    return {
        name: service_paths.chartless_folder(policy.services, name, environment)
        or str(naming.chart(policy, name))
        for name in policy.services.named
    }


def _is_of(glob: service_paths.Glob, folder: str) -> bool:
    pattern, parts = glob.folder("*").split("/"), folder.split("/")
    return len(pattern) == len(parts) and all(map(fnmatchcase, parts, pattern))


def _excluded(policy: documents.Policy, glob: service_paths.Glob) -> Iterator[str]:
    """The policy's exclusions as globs for just what a glob finds: a folder above excludes what is below it."""
    parts = glob.folder("*").split("/")
    for excluded in policy.services.exclude:
        pattern = excluded.split("/")
        if len(pattern) > len(parts):
            continue
        merged = list(parts)
        for index, part in enumerate(pattern):
            if parts[index] == service_paths.STAR:
                merged[index] = part
            elif not fnmatchcase(parts[index], part):
                break
        else:
            yield "/".join(merged)
