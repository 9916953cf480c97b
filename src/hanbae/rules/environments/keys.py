"""Keys that one environment's values have and another's have not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae.policy import naming
from hanbae.rules import rulebook, valuesfiles, views
from hanbae.rules.layout import plaintexts

# The keys that are sealed differ as the secrets do; their own rules look at them.
_APART: Final = frozenset({"sealedSecret", "externalSecret", "global"})

Keys = tuple[str, ...]


@rulebook.of_service(
    "ENV006", "warning", source="deployment-policy.ko.md, Helm 차트 구조", essential=False
)
def unequal(service: views.Service) -> Iterator[rulebook.Hit]:
    """A key that is in some environments' values and not in others', and not in the example either."""
    releases = list(service.releases.values())
    if len(releases) < 2:  # noqa: PLR2004
        return
    every = [
        {k: v for k, v in of_environment.values.items() if k not in _APART}
        for of_environment in releases
    ]
    if all(merged == every[0] for merged in every[1:]):
        return
    has = _partial([of_environment.environment for of_environment in releases], every)
    # Of a key that the example has, the layout's rules say what lacks it.
    example = service.values(service.chart_file("values.yaml.example")).places if has else {}
    for key, environments in has.items():
        if any(_is_secret(values, key) for values in every):
            continue  # it belongs into no environment's values; another rule says so
        for release, values in zip(releases, every, strict=True):
            lacks = key in set(valuesfiles.missing(values, _with(key)))
            if key not in example and lacks and release.environment not in environments:
                file = naming.values_name(service.policy, service.name, release.environment)
                facts = {"key": ".".join(key), "has": ", ".join(environments), "file": file}
                yield rulebook.Hit(release.value_place(*key), facts)


def _partial(names: list[str], every: list[dict[str, Any]]) -> dict[Keys, list[str]]:
    """The topmost keys that some values lack, with the environments that have them."""
    has: dict[Keys, list[str]] = {}
    for name, values in zip(names, every, strict=True):
        others = (other for other in every if other is not values)
        for key in {key for other in others for key in valuesfiles.missing(other, values)}:
            has.setdefault(key, []).append(name)
    return dict(sorted(has.items()))


def _is_secret(values: Mapping[str, Any], key: Keys) -> bool:
    """Whether a secret stands under a key in clear."""
    node: Any = values
    for part in key:
        node = node.get(part) if isinstance(node, Mapping) else None
    # Judged as the line of a values file that it is.
    return isinstance(node, str) and bool(plaintexts.find(f"{key[-1]}: {node[:4096]!r}"))


def _with(key: Keys) -> Mapping[str, Any]:
    """Values that have just this key."""
    nested: Any = None
    for part in reversed(key):
        nested = {part: nested}
    return dict(nested)
