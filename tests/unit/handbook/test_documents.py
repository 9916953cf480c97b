"""What the documents make of odd repositories and of hostile text."""

from __future__ import annotations

import re

import msgspec
import pytest
from markdown_it import MarkdownIt

from hanbae import libyaml
from hanbae.cli.text import catalogue
from hanbae.handbook import document, facts, markdown, reference, words, writing
from hanbae.handbook.telling import Telling
from hanbae.policy import documents, loading

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, sync: auto}
  staging: {branch: release, namespace_suffix: -staging}
"""


def parse(text: str) -> documents.Policy:
    policy, _ = loading.parse(text.encode(), "hanbae.yaml")
    return policy


def migration(**changes: object) -> facts.Migration:
    fields: dict[str, object] = {
        "job": "auth-service-migrate",
        "kind": "Job",
        "database": "auth_db",
        "phase": "Sync",
        "wave": -5,
        "delete_policy": "BeforeHookCreation",
        "ttl": 300,
        "backoff_limit": 3,
        "restart_policy": "Never",
        "container": "migrate",
        "image": "registry.example.com/shop/auth",
        "command": ("goose", "up"),
        "secret": "auth-secrets",
        "key": "DATABASE_URL",
        "variable": "DATABASE_URL",
        "reads_all": True,
        "table": "public.goose_db_version",
    }
    return facts.Migration(**{**fields, **changes})  # type: ignore[arg-type]


def service(name: str, **changes: object) -> facts.Service:
    deployed = facts.Deployed(
        workloads=(f"deployment/{name}-service",),
        secrets={f"{name}-secrets": ("DATABASE_URL",)},
        migrations=(migration(**{"job": f"{name}-service-migrate", **changes}),),
    )
    folder = f"services/{name}/helm"
    return facts.Service(
        name, folder, ("Chart.yaml",), True, False, {"dev": deployed, "staging": deployed}
    )


def test_a_repository_without_services_has_documents() -> None:
    for path, text in writing.written(parse(POLICY), ()).items():
        assert writing.is_own(text), path
        assert "<<" not in text


def test_two_hundred_services_fit_into_the_reference_and_what_is_cut_is_said() -> None:
    services = [service(f"service{number}") for number in range(200)]
    text = reference.text(Telling(parse(POLICY), services, "en"))
    assert text.count("\n") <= reference.LONGEST
    assert "more" in text


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_environments_that_differ_in_what_no_column_shows_have_one_row(
    language: words.Language,
) -> None:
    services = [service("auth")]
    other = msgspec.structs.replace(
        services[0].environments["dev"], migrations=(migration(image=""), migration(ttl=60))
    )
    environments = {**services[0].environments, "staging": other}
    telling = Telling(
        parse(POLICY), [msgspec.structs.replace(services[0], environments=environments)], language
    )
    for text in (document.text(telling), reference.text(telling)):
        listed = [line for line in text.splitlines() if line.startswith("|")]
        (row,) = [line for line in listed if "`job/auth-service-migrate`" in line]
        assert "`auth_db`" in row


def test_a_job_that_reads_all_of_a_secret_is_shown_so() -> None:
    text = document.text(Telling(parse(POLICY), [service("auth")], "ko"))
    assert "envFrom:\n            - secretRef:\n                name: auth-secrets" in text


def test_a_job_whose_name_has_a_backslash_is_named_as_it_is() -> None:
    telling = Telling(parse(POLICY), [service("auth", job=r"a\q-migrate")], "en")
    assert telling.concrete("kubectl logs job/<service>-migrate") == (
        r"kubectl logs job/a\q-migrate"
    )
    assert writing.is_own(document.text(telling))


def test_words_of_a_command_that_look_like_numbers_are_quoted() -> None:
    command = ("goose", "up-to", "5", "1e3", "true")
    text = document.text(Telling(parse(POLICY), [service("auth", command=command)], "en"))
    (block,) = re.findall(r"```yaml\n(apiVersion: batch/v1\n.*?)```", text, re.DOTALL)
    (container,) = libyaml.load(block)["spec"]["template"]["spec"]["containers"]
    assert tuple(container["command"]) == command
    assert "- goose\n" in block


HOSTILE = (
    "a | b",
    "[link](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "first\nsecond",
    "```\n# heading",
    "`one` `two",
    "\x1b[31mred\u202e",
    "![picture](http://evil.example/x)",
    "\\| escaped",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_the_policy_becomes_markup(text: str) -> None:
    shown = markdown.prose(text)
    bare = shown
    for span in _spans(shown):
        bare = bare.replace(span, "")
    for mark in "|[<":
        assert bare.count(mark) == bare.count(f"\\{mark}"), shown
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(shown)
    assert not re.search(r"<(?!/?(?:p|code)>)", rendered), rendered
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def _spans(text: str) -> list[str]:
    parts = text.split("`")
    if len(parts) % 2 == 0 or "\\`" in text:
        return []
    return [f"`{part}`" for part in parts[1::2]]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_a_cell_or_a_block(text: str) -> None:
    row = markdown.table([(markdown.code(text), markdown.prose(text), "end")])
    assert "\n" not in row
    unescaped = row.replace("\\\\", "").replace("\\|", "")
    assert unescaped.count("|") == 4
    lines = markdown.block([text.replace("\n", " "), "last"]).splitlines()
    assert lines[-2:] == ["last", lines[0].removesuffix("bash")]


def test_a_hostile_policy_makes_tables_that_are_whole() -> None:
    problem = "x | y\\n\\n# z <script>"
    policy = parse(
        POLICY
        + f'namespaces: {{services: {{purpose: ["{problem}", "`a` | `b"]}}}}\n'
        + f'troubleshooting: [{{problem: "{problem}", solution: "[x](http://evil)"}}]\n'
        + 'checklists: {before: [{id: own, text: "- [x] done\\n## after"}]}\n'
    )
    hostile = service("auth", command=("goose", "```\n# up"), database="a|b", job="x`|`y")
    for text in writing.written(policy, [hostile]).values():
        assert "\n# z" not in text
        assert "\n## after" not in text
        assert "<script>" not in text.replace("\\<script\\>", "")
        for head, row in _tables(text):
            assert row.replace("\\|", "").count("|") == head.replace("\\|", "").count("|"), row


def _tables(text: str) -> list[tuple[str, str]]:
    head, listed, inside = "", [], False
    for line in text.splitlines():
        inside ^= line.startswith("```")
        if inside or not line.startswith("|"):
            head = ""
        elif not head:
            head = line
        else:
            listed.append((head, line))
    return listed


def test_words_are_the_same_in_both_languages_and_those_of_the_catalogue() -> None:
    assert words.of("en").keys() == words.of("ko").keys()
    for item in documents.Checklists().before:
        text = checklists_text(item.id)
        assert text  # the catalogue names each item that the documents have words for
        assert item.id in words.of("ko")


def checklists_text(name: str) -> str:
    return catalogue.words(f"checklist.item-{name}")


def test_laid_sentences_are_said_in_the_language_of_the_document() -> None:
    laid = "The Docker image has been built and pushed to the registry."
    policy = parse(POLICY + f'checklists: {{before: [{{id: image-pushed, text: "{laid}"}}]}}\n')
    text = document.text(Telling(policy, (), "ko"))
    assert words.of("ko")["image-pushed"] in text
    assert laid not in text


def test_scaffold_lays_the_sentences_that_the_documents_know() -> None:
    from hanbae.charts import founding

    for language in words.LANGUAGES:
        text = founding.policy_file(
            "https://git.example.com/shop.git", language=language, one_cluster=False
        )
        policy = libyaml.mapping(text) or {}
        items = [item for phase in policy["checklists"].values() for item in phase]
        for item in items:
            assert words.of(language)[item["id"]] == item["text"]
        problems = [row["problem"] for row in policy["troubleshooting"]]
        assert problems == [
            words.of(language)[f"trouble-{name}"]
            for name in ("migration", "pod", "secret", "image")
        ]
