"""The reference of ``hanbae.yaml``: a table of keys for each part of the policy, made from its JSON Schema.

The schema speaks English. What it says is in Korean in ``policy_page.ko.po``, sentence by sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from babel.messages import pofile
from msgspec import Struct

KOREAN: Final = Path(__file__).with_name("policy_page.ko.po")
_LONGEST: Final = 60


class Language(Struct, frozen=True):
    """The words of the page that are not the schema's, and the schema's sentences in a language.

    Attributes:
        head: What stands above the tables.
        file: Title of the first table.
        columns: Titles of the columns.
        below: Of a value: it has a table of its own.
        alternative: Between two kinds of value.
        items: Before the kind of a list's items.
        named: Before the kind of what stands behind names.
        kinds: JSON Schema's types, and a list and a mapping of nothing in particular.
        written: Of a default that is too long for a cell.
        sentences: The schema's sentence → what it is here; as it stands there, where that is not given.
    """

    head: str
    file: str
    columns: tuple[str, str, str, str]
    below: str
    alternative: str
    items: str
    named: str
    kinds: dict[str, str]
    written: str
    sentences: dict[str, str] | None = None

    def sentence(self, text: str) -> str:
        """A sentence of the schema's.

        Raises:
            LookupError: It has no translation.
        """
        if self.sentences is None or not text:
            return text
        translated = self.sentences.get(text)
        if not translated:
            message = f"{KOREAN.name} has no Korean for: {text}"
            raise LookupError(message)
        return translated


ENGLISH: Final = Language(
    """\
# hanbae.yaml

Every key of the policy, made from its schema. Unknown keys are refused, with file and line;
[editors complete them](../editor.md).
Where a default is empty, there is none. Durations are written as `90s`, `10m` or `1h`.
""",
    "The file",
    ("key", "value", "default", "meaning"),
    "see below",
    " or ",
    "list: ",
    "by name: ",
    {
        "string": "text",
        "integer": "number",
        "boolean": "`true`, `false`",
        "array": "list",
        "object": "mapping",
    },
    "as `hanbae init` writes it",
)


def korean() -> Language:
    """The page's Korean."""
    with KOREAN.open("rb") as file:
        catalogue = pofile.read_po(file, locale="ko")
    sentences = {str(entry.id): str(entry.string) for entry in catalogue if entry.id}
    return Language(
        """\
# hanbae.yaml

정책의 모든 키를 스키마에서 만든 표입니다. 모르는 키는 파일과 줄 번호를 알려 주고 거부하며,
[편집기에서 완성할 수 있습니다](../editor.ko.md).
기본값 칸이 비어 있으면 기본값이 없습니다. 시간은 `90s`, `10m`, `1h`처럼 씁니다.
""",
        "파일",
        ("키", "값", "기본값", "의미"),
        "아래 참조",
        " 또는 ",
        "목록: ",
        "이름별: ",
        {
            "string": "글",
            "integer": "숫자",
            "boolean": "`true`, `false`",
            "array": "목록",
            "object": "매핑",
        },
        "`hanbae init`이 쓰는 것",
        sentences,
    )


def sentences(schema: dict[str, Any]) -> set[str]:
    """The sentences of a schema that a page shows."""
    parts = schema["$defs"].values()
    fields = [field for part in parts for field in part.get("properties", {}).values()]
    return {part["description"] for part in [*parts, *fields] if part.get("description")}


def page(schema: dict[str, Any], language: Language = ENGLISH) -> str:
    """The page.

    Args:
        schema: The JSON Schema of the policy.
        language: The language that it is in.

    Raises:
        LookupError: A sentence has no translation.
    """
    kinds = schema["$defs"]
    parts = [language.head]
    heading = "\n".join([f"| {' | '.join(language.columns)} |", "|---|---|---|---|"])
    for path, kind in _walk(kinds, "", schema["$ref"].rpartition("/")[2]):
        component = kinds[kind]
        title = f"`{path}`" if path else language.file
        rows = [
            f"| `{name}` | {_values(field, language)} | {_default(field, language)}"
            f" | {_cell(language.sentence(field.get('description', '')))} |"
            for name, field in component.get("properties", {}).items()
        ]
        meaning = language.sentence(component["description"]).replace("``", "`")
        parts.append("\n".join([f"## {title}\n\n{meaning}\n\n{heading}", *rows, ""]))
    return "\n".join(parts)


def _walk(kinds: dict[str, Any], path: str, kind: str) -> Iterator[tuple[str, str]]:
    """Each part with the path of keys that leads to it; a part that is in several places comes once."""
    described: set[str] = set()
    waiting = [(path, kind)]
    while waiting:
        path, kind = waiting.pop(0)
        if kind in described:
            continue
        described.add(kind)
        yield path, kind
        for name, field in kinds[kind].get("properties", {}).items():
            for suffix, inner in _parts(field):
                waiting.append((f"{path}.{name}{suffix}".lstrip("."), inner))


def _parts(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The parts that a key holds: itself, or one per item or name."""
    if "$ref" in field:
        yield "", field["$ref"].rpartition("/")[2]
    for inner in field.get("anyOf", ()):
        yield from _parts(inner)
    if isinstance(field.get("items"), dict):
        yield from ((f"[]{suffix}", kind) for suffix, kind in _parts(field["items"]))
    if isinstance(field.get("additionalProperties"), dict):
        for suffix, kind in _parts(field["additionalProperties"]):
            yield f".NAME{suffix}", kind


def _values(field: dict[str, Any], language: Language) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"] if value is not None)
    if "$ref" in field:
        return language.below
    if "anyOf" in field:
        inner = [part for part in field["anyOf"] if part.get("type") != "null"]
        return language.alternative.join(dict.fromkeys(_values(part, language) for part in inner))
    kind = str(field.get("type", "any"))
    if kind == "array" and isinstance(field.get("items"), dict) and field["items"]:
        return f"{language.items}{_values(field['items'], language)}"
    named = field.get("additionalProperties")
    if kind == "object" and isinstance(named, dict) and named:
        return f"{language.named}{_values(named, language)}"
    return language.kinds.get(kind, kind)


def _default(field: dict[str, Any], language: Language) -> str:
    default = field.get("default")
    if default is None or default in ("", [], (), {}):
        return ""
    written = json.dumps(default, ensure_ascii=False)
    return _cell(f"`{written}`") if len(written) <= _LONGEST else language.written


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
