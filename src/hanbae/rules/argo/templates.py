"""What templates must not ask for: Argo CD renders them again and again, and without a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hanbae import subjects
from hanbae.rules import rulebook, views
from hanbae.rules.argo import registering as argo

_RANDOM: Final = re.compile(
    r"(?<![\w.$/-])(randAlphaNum|randAlpha|randNumeric|randAscii|randBytes|randInt|shuffle|uuidv4|now|ago"
    r"|genPrivateKey|genCA|genCAWithKey|genSelfSignedCert|genSelfSignedCertWithKey|genSignedCert"
    r"|genSignedCertWithKey|bcrypt|htpasswd|encryptAES)(?![\w/-])"
)
_LOOKUP: Final = re.compile(
    r"(?<![\w.$/-])lookup(?![\w/-])|\.Release\.(?:IsUpgrade|IsInstall|Revision)\b"
)
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
    shown = set()
    called = {function for release in service.releases.values() for function in release.calls}
    for hit in _calls(service, _RANDOM):
        if hit.facts["function"] not in called:
            continue  # a subchart that is switched off, or a branch that no environment takes
        shown.add(hit.facts["function"])
        yield hit
    for release in service.releases.values():
        for function in release.calls:
            if function not in shown and release.settings.engine == "argocd":
                shown.add(function)
                place = subjects.Place(f"{service.chart}/Chart.yaml")
                yield rulebook.Hit(place, {"function": function}, "called")


@rulebook.of_service(
    "ARG030", "warning", source="https://github.com/argoproj/argo-cd/issues/5202", essential=True
)
def asks_the_cluster(service: views.Service) -> Iterator[rulebook.Hit]:
    """`lookup`, which finds nothing, and words that tell an install from an upgrade, which are always the same."""
    yield from _calls(service, _LOOKUP)


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
