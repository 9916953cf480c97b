"""What a file's name says about the values in it: configuration, samples, programs, translations, lists of packages.

The same line means different things in them. ``password: Passwort`` is a password in a values file and a word in a
translation; ``DB_PASSWORD: Joi.string()`` is a value in YAML and an expression in TypeScript.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from hanbae import patterns

FileKind = Literal["values", "samples", "script", "code", "words"]
"""``values``: what is written is used. ``samples``: shown, tested or run on a developer's machine; only what looks
random is a secret there. ``script``: a shell's, in which calls are no values. ``code``: only quoted text is a value.
``words``: translations and lists of packages, in which names are not names of secrets."""

_CODE: Final = (
    ".c", ".cc", ".cjs", ".cpp", ".cs", ".cts", ".dart", ".ex", ".exs", ".go", ".gradle", ".groovy", ".h", ".java",
    ".js", ".jsx", ".kt", ".kts", ".lua", ".mjs", ".mts", ".php", ".proto", ".py", ".rb", ".rs", ".scala", ".sql",
    ".svelte", ".swift", ".ts", ".tsx", ".vue",
)  # fmt: skip
_SCRIPTS: Final = (".bash", ".ps1", ".sh", ".zsh")
_PACKAGES: Final = patterns.lazy(
    r"(?:.+[-.])?lock(?:file)?(?:\.(?:json|ya?ml|toml|txt|hcl))?|npm-shrinkwrap\.json|go\.(?:sum|mod)"
    r"|(?:.+[-_.])?(?:requirements|constraints)(?:[-_.].+)?\.(?:txt|in)|Pipfile|go\.work\.sum"
)
_TRANSLATED: Final = frozenset(
    {
        "i18n", "intl", "l10n", "_locales", "lang", "langs", "language", "languages", "locale", "locales", "nls",
        "messages", "translation", "translations",
    }
)  # fmt: skip
_TRANSLATION: Final = patterns.lazy(
    r"(?:messages|strings|translations?|labels|texts?|i18n|l10n|locales?|lang|validationmessages)"
    r"(?:[-_.][a-z]{2,3}(?:[-_][A-Za-z]{2,4})?)?\.(?:json5?|ya?ml|properties|toml|xml|txt|arb)",
    re.IGNORECASE,
)
_LANGUAGE: Final = (
    r"(?:ar|be|bg|bn|bs|ca|cs|cy|da|de|el|en|eo|es|et|eu|fa|fi|fil|fr|ga|gl|he|hi|hr|hu|hy|id|is|it|ja|ka|kk|km|kn"
    r"|ko|lt|lv|mk|ml|mn|mr|ms|nb|ne|nl|nn|pa|pl|pt|ro|ru|si|sk|sl|sq|sr|sv|sw|ta|te|th|tl|tr|uk|ur|uz|vi|zh)"
)
# ``de.json`` and ``pt-BR.yaml``; an environment may be called ``it.yaml``.
_LOCALE: Final = patterns.lazy(
    rf"{_LANGUAGE}\.json5?|{_LANGUAGE}[-_](?:[A-Z]{{2}}|[A-Z][a-z]{{3}}|[0-9]{{3}})"
    r"\.(?:json5?|ya?ml|properties|toml)"
)
_SAMPLED: Final = frozenset(
    {
        "__fixtures__", "__mocks__", "__tests__", ".devcontainer", ".github", "ci", "demo", "demos", "doc", "docs",
        "e2e", "example", "examples", "fixture", "fixtures", "mock", "mocks", "sample", "samples", "spec", "test",
        "test-data", "test_data", "testdata", "tests", "tutorial", "tutorials",
    }
)  # fmt: skip
_SAMPLE: Final = patterns.lazy(
    r"(?:.*[-_.])?(?:example|sample|template|tmpl|dist|defaults?|tests?|ci|mock|fixture)s?(?:[-_.].*)?",
    re.IGNORECASE,
)
_PIPELINE: Final = patterns.lazy(
    r"\.gitlab-ci\.ya?ml|\.travis\.ya?ml|azure-pipelines[^/]*\.ya?ml|bitbucket-pipelines\.yml|skaffold\.ya?ml"
)


def of(path: str) -> FileKind:
    """The kind of a file.

    Args:
        path: The file, relative to the repository's root.
    """
    *folders, name = path.split("/")
    lowered = {folder.lower() for folder in folders}
    return _named(
        name,
        translated=not lowered.isdisjoint(_TRANSLATED),
        sampled=not lowered.isdisjoint(_SAMPLED),
    )


@lru_cache(maxsize=4096)  # services are alike, and so are the names of their files
def _named(name: str, *, translated: bool, sampled: bool) -> FileKind:
    """The kind of a file of some name in folders of translations, or of samples."""
    if _PACKAGES.fullmatch(name):
        return "words"
    translated = translated or bool(_TRANSLATION.fullmatch(name) or _LOCALE.fullmatch(name))
    # A service may be called `messages` or `lang`; its values are values all the same.
    if translated and not name.startswith((".env", "values")):
        return "words"
    if name.endswith(_CODE):
        return "code"
    if sampled or _SAMPLE.fullmatch(name) or _PIPELINE.fullmatch(name):
        return "samples"
    return "script" if name.endswith(_SCRIPTS) else "values"
