"""The words: the catalogues, the language that is spoken, and the sentences of Texts.

The language is settled once, before any command runs: ``--lang``, then ``HANBAE_LANG``, then the locale
of the person, then the policy's ``language``.
click takes its own words ("Usage:", "Missing option") through :mod:`gettext` as well, so binding the default
domain to our catalogues translates them with ours.
"""

from __future__ import annotations

import contextlib
import gettext
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hanbae import patterns
from hanbae.cli.text import indexed_catalogues

if TYPE_CHECKING:  # kept out of the start-up of commands that need no types, such as --version
    from hanbae import errors, wording

LANGUAGES: Final = ("en", "ko")
_DOMAIN: Final = "hanbae"
_FOLDER: Final = Path(__file__).parents[2] / "locale"
_PLACEHOLDER: Final = patterns.lazy(r"\{(\w+)(?::([^{}|]*\|[^{}]*))?\}")
"""``{files}``, or ``{files:file|files}`` for the form that goes with that number."""
_POLICY_LANGUAGE: Final = patterns.lazy(r"^language:\s*[\"']?(\w+)", re.MULTILINE)
# An escape sequence goes as a whole (CSI, OSC, ESC and one character); without its ESC alone, the
# rest of it, such as `[2J`, would be shown. Adjacent classes share no character: it is linear.
_CONTROL: Final = patterns.lazy(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


# What some programs take for the end of a line, tabs left out.
_BREAK: Final = patterns.lazy("\r\n?|[\n\x0b\x0c\x85\u2028\u2029]")
# "::error::" and its kin, which GitHub's runner obeys at the beginning of a line, indented or not. They are
# looked for at the beginning of every word, because a sentence may be wrapped there.
_COMMAND: Final = patterns.lazy(r"(?<!\S)::(?=[A-Za-z][A-Za-z-]{0,40}(?:::|\s))")
# "##[error]", "##vso[…]" and "##teamcity[…]", which GitHub's, Azure's and TeamCity's obey wherever they stand.
_COMMAND_ANYWHERE: Final = patterns.lazy(r"##(?=\[|vso|teamcity)")
# What hanbae's own rollouts say of pods: see hanbae.engines.rollouts.
_COUNTS: Final = patterns.lazy(
    r"(?P<new>\d+) of (?P<wanted>\d+) new(?:, (?P<ready>\d+) ready(?:, (?P<former>\d+) former to end)?)?"
)
_HIDING: Final = frozenset({"Cf", "Cn", "Cs", "Zl", "Zp"})
"""Categories of Unicode whose characters turn, join or hide others, or are none."""
_OF_LINES: Final = frozenset({"differences", "lines", "log", "output"})
"""Facts that are several lines on purpose; a name or a value with a break in it is not."""


def speak(language: str) -> None:
    """Speak this language from now on, click included.

    Args:
        language: One of `LANGUAGES`.
    """
    gettext.bindtextdomain(_DOMAIN, str(_FOLDER))
    gettext.textdomain(_DOMAIN)
    # gettext looks at LANGUAGE at each call; there is no other way to reach click's own look-ups.
    os.environ["LANGUAGE"] = language


@cache
def _translations(language: str) -> gettext.NullTranslations:
    """The catalogue of a language, looked for once: a report of thousands of findings says ten thousand sentences."""
    kind = indexed_catalogues.Translations
    return gettext.translation(_DOMAIN, _FOLDER, [language], kind, fallback=True)


@lru_cache(maxsize=4096)  # more messages than any report has
def _looked_up(language: str, msgid: str) -> str:
    """A message of a language, searched for once: a report of thousands of findings says few different ones."""
    return _translations(language).gettext(msgid)


@contextlib.contextmanager
def untranslated() -> Iterator[None]:
    """Have click take its own words as they are: they are looked up with ours when they are shown.

    By itself it would look them up as it starts, in a dictionary of the whole catalogue.
    """
    domain = gettext.textdomain()
    gettext.textdomain("messages")
    try:
        yield
    finally:
        gettext.textdomain(domain)


def _translated(msgid: str) -> str:
    language = os.environ.get("LANGUAGE", "")
    if language in LANGUAGES and gettext.textdomain() == _DOMAIN:
        return _looked_up(language, msgid)
    # Nobody has chosen a language yet, or `untranslated` keeps the msgids for click.
    return gettext.gettext(msgid)


def preferred(option: str | None, directory: Path) -> str:
    """The language to speak.

    Args:
        option: What ``--lang`` or ``HANBAE_LANG`` said, or None.
        directory: Where the policy is looked for, upwards.
    """
    if option in LANGUAGES:
        return option
    return _of_locale() or _of_policy(directory) or "en"


def _of_locale() -> str:
    """The language of the person's locale; empty where it is none of ours, or says nothing as ``C`` does."""
    # POSIX has this order: the first one that is set decides, whatever the others say.
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            language = re.split(r"[_.@-]", value)[0]
            return language if language in LANGUAGES else ""
    return ""


def _of_policy(directory: Path) -> str:
    """The policy's language, read without the YAML parser: it is needed before anything can be said."""
    try:
        directory = directory.absolute()
    except OSError:  # the folder that we were started in is gone
        return ""
    for folder in (directory, *directory.parents):
        path = folder / "hanbae.yaml"
        try:
            if not path.is_file():  # reading a named pipe would wait for ever
                continue
            with path.open("rb") as file:
                # The beginning is enough: `hanbae init` writes `language` as one of the first keys.
                match = _POLICY_LANGUAGE.search(file.read(4096).decode("utf-8", "replace"))
        except OSError:
            continue
        return match[1] if match and match[1] in LANGUAGES else ""
    return ""


def words(msgid: str) -> str:
    """The words of the catalogue for a help text or an id; the msgid itself where there are none."""
    return _translated(msgid) if msgid else msgid


def sentence(text: wording.Text) -> str:
    """A Text in words. A missing sentence shows its id and facts rather than nothing.

    The facts may come from a repository, a registry or a cluster, so they are made `printable`.
    """
    template = _translated(text.id)
    if template == text.id:
        return printable(str(text))
    return _PLACEHOLDER.sub(lambda match: _filled(match, text.facts), template)


def _filled(match: re.Match[str], facts: Mapping[str, str]) -> str:
    name, forms = match[1], match[2]
    if name not in facts:
        # The placeholder stays; `escaping.general` shows it as `<name>`.
        return match[0]
    if forms is None:
        return _fact(name, facts[name])
    return plural_form(forms.split("|"), facts[name])


def plural_form(forms: Sequence[str], number: str) -> str:
    """The form that goes with a number, by the rule (``Plural-Forms``) of the catalogue that is spoken.

    Args:
        forms: The forms in the rule's order; for English, one and many.
        number: The number in digits; what is no number goes with the last form.
    """
    if not number.isdecimal():
        return forms[-1]
    spoken = _translations(os.environ.get("LANGUAGE", "en"))
    rule: Callable[[int], int] = getattr(spoken, "plural")  # noqa: B009  typeshed does not know it
    return forms[min(rule(int(number)), len(forms) - 1)]


def printable(text: str) -> str:
    """Foreign text on one line, without what a terminal or a build server would obey, and nothing in it hidden.

    Names, values and messages come from whoever can push a branch or create an object. Breaks of lines become spaces,
    control characters go, and format characters (those that turn or hide text) are shown as escapes; tabs stay.
    """
    flat = text if text.isprintable() else _CONTROL.sub("", _BREAK.sub(" ", text))
    if "::" in flat:
        flat = _COMMAND.sub(r"\\::", flat)
    if "##" in flat:
        flat = _COMMAND_ANYWHERE.sub("# #", flat)
    if flat.isprintable():
        return flat
    return "".join(map(_shown, flat))


def printable_lines(text: str) -> str:
    """Foreign text of several lines, such as the end of a log: each of them as of :func:`printable`."""
    return "\n".join(map(printable, text.split("\n")))


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in _HIDING
    return f"\\u{ord(character):04x}" if hidden else character


def pods(message: str) -> str:
    """How many pods a rollout has, in the language that is spoken; any other message as it is.

    Args:
        message: What a rollout says, by which programs know it in every language.
    """
    match = _COUNTS.fullmatch(message)
    if match is None:
        return message
    facts = {name: count for name, count in match.groupdict().items() if count is not None}
    text_id = "pods.new"
    if "ready" in facts:
        text_id = "pods.new-former" if "former" in facts else "pods.new-ready"
    return _PLACEHOLDER.sub(lambda hole: _filled(hole, facts), words(text_id))


def _fact(name: str, value: str) -> str:
    if value[:1].isdigit():
        value = pods(value)
    return printable_lines(value) if name in _OF_LINES else printable(value)


def fault(error: errors.Error) -> str:
    """An error in words, with the place in front where there is one."""
    words_ = sentence(error.text)
    return f"{printable(str(error.place))}: {words_}" if error.place else words_
