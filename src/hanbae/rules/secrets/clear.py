"""Nothing of a secret stands in clear: not beside its sealed value, not in an object, a variable or an argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from hanbae import patterns
from hanbae.masking import shapes
from hanbae.rules import rulebook, views
from hanbae.rules.secrets import secret_readers

# Bounded, so that no text is looked at more than once for each "://".
_URL: Final = patterns.lazy(r"://[^\s/:@]{0,128}:(?P<password>[^\s/@]{1,256})@")
_NO_SECRET: Final = patterns.lazy(
    r"(?:[0-9.]+[a-z]{0,2}|true|false|yes|no|on|off|enabled?|disabled?|/.*|)",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN: Final = "https://kubernetes.io/docs/concepts/security/secrets-good-practices/"
# Bounds the work on values that somebody has made up.
_MOST_VALUES: Final = 5000
_LONGEST_NAME: Final = 100
_LONGEST_WORD: Final = 200
_MOST_WORDS: Final = 1024
_LONGEST_VALUE: Final = 64 * 1024


@rulebook.of_release("SEC011", "error", source=_PLAIN, essential=True)
def twin(release: views.Release) -> Iterator[rulebook.Hit]:
    """The key of a sealed value with a value in clear beside it."""
    sealed = {
        key
        for manifest in secret_readers.sealed(release)
        for key in secret_readers.ciphertexts(manifest)
    }
    if not sealed:
        return
    in_values = set()
    for path in _scalars(release.values, sealed):
        in_values.add(path[-1])
        yield rulebook.Hit(release.value_place(*path), {"key": path[-1]}, "values")
    for manifest in release.objects:
        # A value that stands in the values is told there, and not once more for each object that it
        # reaches.
        for pointer, name, _ in _variables(manifest):
            if name in sealed - in_values:
                facts = {"key": name, "object": manifest.label}
                yield rulebook.Hit(views.On(manifest, (*pointer, "value")), facts)
        if manifest.kind == "ConfigMap":
            data = manifest.get("data", default={})
            for key in sorted(sealed - in_values) if isinstance(data, dict) else ():
                if data.get(key):
                    facts = {"key": key, "object": manifest.label}
                    yield rulebook.Hit(views.On(manifest, ("data", key), key=True), facts)


def _scalars(values: Mapping[str, Any], names: set[str]) -> Iterator[tuple[str, ...]]:
    """Paths of plain values under wanted keys, outside of the sealed ones."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), values)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        path, document = waiting.pop()
        for key, value in document.items():
            path_of_key = (*path, str(key))
            if path_of_key == ("sealedSecret", "encryptedData"):
                continue
            if isinstance(value, dict):
                waiting.append((path_of_key, value))
            elif str(key) in names and isinstance(value, str | int) and value not in ("", False):
                yield path_of_key


@rulebook.of_release(
    "SEC012",
    "error",
    source="https://github.com/bitnami/sealed-secrets#sealedsecrets-as-templates-for-secrets",
    essential=True,
)
def template_in_clear(release: views.Release) -> Iterator[rulebook.Hit]:
    """A credential in the template of a SealedSecret, which is not encrypted, instead of among its sealed values."""
    for manifest in secret_readers.sealed(release):
        data = manifest.get("spec", "template", "data")
        for key, value in data.items() if isinstance(data, dict) else ():
            if not isinstance(value, str) or "{{" in value:
                continue
            if _holds_credential(value) or (_is_credential(str(key)) and not _harmless(value)):
                part = views.On(manifest, ("spec", "template", "data", key), key=True)
                yield rulebook.Hit(part, {"object": manifest.label, "key": str(key)})


@rulebook.of_release("SEC013", "error", source=_PLAIN, essential=True)
def credential_in_clear(release: views.Release) -> Iterator[rulebook.Hit]:
    """A variable or an argument that holds a password where everybody with read rights sees it."""
    sealed = {
        key
        for manifest in secret_readers.sealed(release)
        for key in secret_readers.ciphertexts(manifest)
    }
    word_tells = release.service.once(_by_word)
    for manifest in release.objects:
        for pointer, name, value in _variables(manifest):
            if name in sealed:
                continue
            url = _holds_password(value)
            token = not url and _holds_token(value)
            named = _is_credential(name) and not _harmless(value)
            if not (url or token or named):
                continue
            if not _written(release, manifest, value, name=None if url or token else name):
                facts = {"object": manifest.label, "name": name}
                facts["arguments"] = secret_readers.arguments([name])
                part = views.On(manifest, (*pointer, "value"))
                yield rulebook.Hit(part, facts, "url" if url else "")
        for at_container, container in manifest.containers():
            for field in ("command", "args"):
                words = container.get(field)
                for index, word in enumerate(words if isinstance(words, list) else ()):
                    if (
                        isinstance(word, str)
                        and (word_tells(word) if len(word) <= _LONGEST_WORD else _tells(word))
                        and not _written(release, manifest, word)
                    ):
                        part = views.On(manifest, (*at_container, field, index))
                        yield rulebook.Hit(
                            part, {"object": manifest.label, "field": field}, "argument"
                        )


def _written(
    release: views.Release, manifest: views.Object, value: str, *, name: str | None = None
) -> bool:
    """Whether a value stands as it is in the values or, without a name, in the template: LAY009 tells of it there."""
    waiting: list[Any] = [(None, release.values)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            break
        key, document = waiting.pop()
        if isinstance(document, Mapping):
            waiting.extend((str(inner), part) for inner, part in document.items())
        elif isinstance(document, list):
            waiting.extend((key, part) for part in document)
        elif document == value and name in (None, key):
            return True
    return name is None and value in (release.service.text(manifest.template) or "")


def _variables(manifest: views.Object) -> Iterator[tuple[views.Pointer, str, str]]:
    """Variables with a value of their own: pointer, name, value."""
    for pointer, container in manifest.containers():
        entries = container.get("env")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("value"), str) and entry["value"]:
                yield (*pointer, "env", index), str(entry.get("name")), entry["value"]


def _by_word(_: views.Service) -> Callable[[str], bool]:
    """Whether a short word tells, worked out once for all environments; passwords among them go with the service."""
    return lru_cache(maxsize=_MOST_WORDS)(_tells)


def _tells(word: str) -> bool:
    flag, assigned, value = word.partition("=")
    named = bool(assigned) and flag.startswith("-") and _is_credential(flag[:_LONGEST_NAME])
    return _holds_credential(word) or (named and not _harmless(value))


def _is_credential(name: str) -> bool:
    """Whether the value of a name is a secret.

    Of a cookie it is mostly only the cookie's own name, and etcd's token of an initial cluster is the cluster's.
    """
    if name.lower().endswith(("cookie", "initial_cluster_token", "initial-cluster-token")):
        return False
    return shapes.strength(name) is not None


def _holds_credential(value: str) -> bool:
    return _holds_password(value) or _holds_token(value)


def _holds_token(value: str) -> bool:
    return any(True for _ in shapes.tokens(value[:_LONGEST_VALUE]))


def _holds_password(value: str) -> bool:
    if "://" not in value:
        return False
    return any(not match["password"].startswith("$") for match in _URL.finditer(value))


def _harmless(value: str) -> bool:
    """Whether a value can be no secret: empty, a number, a switch, a path, or a reference to another variable."""
    if value.lstrip("\"'").startswith(("$(", "${", "$")) or _NO_SECRET.fullmatch(value):
        return True
    return _is_keys_path(value)


def _is_keys_path(value: str) -> bool:
    """Whether a value says in which file a key is, as in ``jwt,priv-key=/certs/a.pem,ttl=10m``."""
    first, *options = value[:_LONGEST_VALUE].split(",")
    named = dict(option.partition("=")[::2] for option in options)
    return first.isalpha() and any(
        name.endswith("key") and path.startswith("/") and path.count("/") > 1
        for name, path in named.items()
    )
