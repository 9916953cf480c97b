"""What templates must not ask for: Argo CD renders them again and again, and without a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from hanbae import patterns, subjects
from hanbae.rules import rulebook, views
from hanbae.rules.argo import registering as argo

# A whole word that is no field (`.Values.now`), no variable (`$now`) and no part of a path or a
# name.
_RANDOM: Final = patterns.lazy(
    r"(?<![\w.$/-])(randAlphaNum|randAlpha|randNumeric|randAscii|randBytes|randInt|shuffle|uuidv4|now|ago"
    r"|genPrivateKey|genCA|genCAWithKey|genSelfSignedCert|genSelfSignedCertWithKey|genSignedCert"
    r"|genSignedCertWithKey|bcrypt|htpasswd|encryptAES)(?![\w/-])"
)
_LOOKUP: Final = patterns.lazy(
    r"(?<![\w.$/-])lookup(?![\w/-])|\.Release\.(?:IsUpgrade|IsInstall|Revision)\b"
)
_DEFINE: Final = patterns.lazy(r"\{\{-? *define +\"([^\"]{1,200})\"")
# Most templates have none of these, and to see that is far quicker than to look for whole words.
_HINTS: Final[Mapping[re.Pattern[str], tuple[str, ...]]] = {
    _RANDOM: (
        *(
            "randA",
            "randN",
            "randB",
            "randI",
            "uuidv4",
            "genP",
            "genC",
            "genS",
            "bcrypt",
            "htpasswd",
        ),
        *("encryptAES", "shuffle", "now", "ago"),
    ),
    _LOOKUP: ("lookup", ".Release.I", ".Release.R"),
}
_MOST: Final = 50  # of one file
_LONGEST: Final = 1_000_000


@rulebook.of_service("ARG029", "error", source=argo.HELM, essential=True)
def renders_differently_each_time(service: views.Service) -> Iterator[rulebook.Hit]:
    """A function that gives another result each time: the Application is never in sync.

    What a template calls in a way that its text does not show (through ``tpl``, in a packed chart) is noted when it is
    rendered.
    """
    called = {function for release in service.releases.values() for function in release.calls}
    if not called:
        return
    # What no environment calls is in a branch or a subchart that is switched off.
    hits = _reached(
        [hit for hit in _calls(service, _RANDOM) if hit.facts["function"] in called], service
    )
    reported = {hit.facts["function"] for hit in hits}
    yield from _telling(service, hits)
    for release in service.releases.values():
        for function in release.calls:
            if function not in reported and release.settings.engine == "argocd":
                reported.add(function)
                place = subjects.Place(service.chart_file("Chart.yaml"))
                yield rulebook.Hit(place, {"function": function}, "called")


def _reached(hits: Sequence[rulebook.Hit], service: views.Service) -> list[rulebook.Hit]:
    """Of the calls in templates, those that are made; all calls of a function of which that cannot be told."""
    sites = {site for release in service.releases.values() for site in release.sites}
    functions = {hit.facts["function"] for hit in hits if _site(hit) in sites}
    return [hit for hit in hits if hit.facts["function"] not in functions or _site(hit) in sites]


def _site(hit: rulebook.Hit) -> tuple[str, str, int]:
    assert isinstance(hit.place, subjects.Place)  # noqa: S101  of a text
    return hit.facts["function"], hit.place.file, hit.place.line


def _telling(service: views.Service, hits: Iterable[rulebook.Hit]) -> Iterator[rulebook.Hit]:
    """Of several calls of a function, those that stand for the others, because nothing shows which one is made.

    The chart's own stand for those of its dependencies; the first one in a named template, or among dependencies, for
    the rest there.
    """
    inside = service.chart_file("charts/")
    own: list[rulebook.Hit] = []
    others: list[rulebook.Hit] = []
    for hit in hits:
        file = hit.place.file if isinstance(hit.place, subjects.Place) else ""
        (others if file.startswith(inside) else own).append(hit)
    calls: set[tuple[str, str, str]] = set()
    functions: set[str] = set()
    for hit in own:
        call = _around(service, hit)
        if call not in calls:
            calls.add(call)
            functions.add(hit.facts["function"])
            yield hit
    for hit in others:
        if hit.facts["function"] not in functions:
            functions.add(hit.facts["function"])
            yield hit


def _around(service: views.Service, hit: rulebook.Hit) -> tuple[str, str, str]:
    """What tells a call from others: its file, its function and the named template around it, else its place."""
    assert isinstance(hit.place, subjects.Place)  # noqa: S101  of a text
    lines = (service.text(hit.place.file) or "").split("\n")[: hit.place.line]
    heads = [match[1] for line in reversed(lines) if (match := _DEFINE.search(line))]
    return hit.place.file, hit.facts["function"], heads[0] if heads else str(hit.place)


@rulebook.of_service(
    "ARG030", "warning", source="https://github.com/argoproj/argo-cd/issues/5202", essential=True
)
def asks_the_cluster(service: views.Service) -> Iterator[rulebook.Hit]:
    """`lookup`, which finds nothing, and words that tell an install from an upgrade, which are always the same."""
    yield from _telling(service, _calls(service, _LOOKUP))


def _calls(service: views.Service, pattern: re.Pattern[str]) -> Iterator[rulebook.Hit]:
    if not any(release.settings.engine == "argocd" for release in service.releases.values()):
        return
    for path, text in service.templates:
        if len(text) > _LONGEST or not any(hint in text for hint in _HINTS[pattern]):
            continue
        for number, match in enumerate(pattern.finditer(text)):
            if number >= _MOST:
                break
            if _is_called(text, match.start()):
                line = text.count("\n", 0, match.start()) + 1
                column = match.start() - text.rfind("\n", 0, match.start())
                place = subjects.Place(path, line, column)
                variant = "release" if match[0].startswith(".") else ""
                yield rulebook.Hit(place, {"function": match[0].lstrip(".")}, variant)


def _is_called(text: str, index: int) -> bool:
    """Whether a place is in an action, and there neither in a comment nor in a string."""
    start = text.rfind("{{", 0, index)
    if start < 0 or text.rfind("}}", 0, index) > start:
        return False
    before = text[start + 2 : index]
    if before.lstrip("- \t\n").startswith("/*"):
        return False
    return not _is_open(before)


def _is_open(text: str) -> bool:
    """Whether a text of Go's template language ends inside of a string."""
    quote, escaped = "", False
    for character in text:
        if escaped:
            escaped = False
        elif quote == '"' and character == "\\":
            escaped = True
        elif character == quote:
            quote = ""
        elif not quote and character in '"`':
            quote = character
    return bool(quote)
