"""Nothing of a secret stands in clear: not beside its sealed value, not in an object, a variable or an argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.secrets import reading

_CREDENTIAL: Final = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|SIGNING_KEY"
    r"|ENCRYPTION_KEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_FLAG: Final = re.compile(
    r"--?[a-z-]{0,40}(?:password|passwd|secret|token|api-?key)=(?P<value>.+)", re.IGNORECASE
)
# Bounded, so that no text is looked at more than once for each "://".
_URL: Final = re.compile(r"://[^\s/:@]{0,128}:(?P<password>[^\s/@]{1,256})@")
_NO_SECRET: Final = re.compile(r"(?:[0-9.]+[a-z]{0,2}|true|false|/.*|)", re.IGNORECASE | re.DOTALL)
_PLAIN: Final = "https://kubernetes.io/docs/concepts/security/secrets-good-practices/"
_MOST_VALUES: Final = 5000


@rulebook.of_release("SEC011", "error", source=_PLAIN)
def twin(release: views.Release) -> Iterator[rulebook.Hit]:
    """The key of a sealed value with a value in clear beside it."""
    sealed = {key for each in reading.sealed(release) for key in reading.ciphertexts(each)}
    if not sealed:
        return
    found = set()
    for path in _scalars(release.values, sealed):
        found.add(path[-1])
        yield rulebook.Hit(release.value_place(*path), {"key": path[-1]}, "values")
    for each in release.objects:
        for pointer, name, _ in _variables(each):
            if name in sealed - found:
                facts = {"key": name, "object": each.label}
                yield rulebook.Hit(views.On(each, (*pointer, "value")), facts)
        if each.kind == "ConfigMap":
            data = each.get("data", default={})
            for key in sorted(sealed - found) if isinstance(data, dict) else ():
                if data.get(key):
                    facts = {"key": key, "object": each.label}
                    yield rulebook.Hit(views.On(each, ("data", key), key=True), facts)


def _scalars(values: Mapping[str, Any], wanted: set[str]) -> Iterator[tuple[str, ...]]:
    """Paths of plain values under wanted keys, outside of the sealed ones."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), values)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        path, thing = waiting.pop()
        for key, value in thing.items():
            here = (*path, str(key))
            if here == ("sealedSecret", "encryptedData"):
                continue
            if isinstance(value, dict):
                waiting.append((here, value))
            elif str(key) in wanted and isinstance(value, str | int) and value not in ("", False):
                yield here


@rulebook.of_release("SEC012", "error", source=_PLAIN)
def secret_in_clear(release: views.Release) -> Iterator[rulebook.Hit]:
    """A rendered Secret with values: base64 is no encryption, and the chart is in git."""
    for each in release.of_kind("Secret"):
        if each.get("type") == "kubernetes.io/service-account-token":
            continue
        for field in ("data", "stringData"):
            data = each.get(field)
            if isinstance(data, dict) and any(data.values()):
                at = views.On(each, (field,), key=True)
                yield rulebook.Hit(at, {"object": each.label})
                break


@rulebook.of_release("SEC013", "error", source=_PLAIN)
def credential_in_clear(release: views.Release) -> Iterator[rulebook.Hit]:
    """A variable or an argument that holds a password where everybody with read rights sees it."""
    sealed = {key for each in reading.sealed(release) for key in reading.ciphertexts(each)}
    for each in release.objects:
        for pointer, name, value in _variables(each):
            if name in sealed:
                continue
            facts = {"object": each.label, "name": name}
            at = views.On(each, (*pointer, "value"))
            if _holds_password(value):
                yield rulebook.Hit(at, facts, "url")
            elif _CREDENTIAL.search(name) and not _harmless(value):
                yield rulebook.Hit(at, facts)
        for at_container, container in each.containers():
            for field in ("command", "args"):
                words = container.get(field)
                for index, word in enumerate(words if isinstance(words, list) else ()):
                    if isinstance(word, str) and _tells(word):
                        at = views.On(each, (*at_container, field, index))
                        yield rulebook.Hit(at, {"object": each.label, "field": field}, "argument")


def _variables(each: views.Object) -> Iterator[tuple[views.Pointer, str, str]]:
    """Variables with a value of their own: pointer, name, value."""
    for at, container in each.containers():
        entries = container.get("env")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("value"), str) and entry["value"]:
                yield (*at, "env", index), str(entry.get("name")), entry["value"]


def _tells(word: str) -> bool:
    flag = _FLAG.match(word)
    return _holds_password(word) or (flag is not None and not _harmless(flag["value"]))


def _holds_password(value: str) -> bool:
    if "://" not in value:
        return False
    return any(not match["password"].startswith("$") for match in _URL.finditer(value))


def _harmless(value: str) -> bool:
    """Whether a value can be no secret: empty, a number, a switch, a path, or a reference to another variable."""
    return value.lstrip("\"'").startswith(("$(", "${", "$")) or bool(_NO_SECRET.fullmatch(value))
