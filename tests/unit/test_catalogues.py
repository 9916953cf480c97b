"""Everything that hanbae can say, it can say in both languages, and the catalogues say nothing else."""

from __future__ import annotations

import ast
import functools
import re
from itertools import product
from pathlib import Path
from typing import Final, get_args, get_type_hints

import click
import pytest
from babel.messages.pofile import read_po
from tests.support import command_tree

import hanbae
from hanbae import errors
from hanbae.actions import export_evidence
from hanbae.charts import pools
from hanbae.cli import delivery
from hanbae.cli.reports import evidence as evidence_reports
from hanbae.cli.text import tables
from hanbae.deploying import approving, permitting
from hanbae.diagnosing import images
from hanbae.local import parity
from hanbae.policy import documents
from hanbae.releases import variables
from hanbae.results import (
    checklists,
    dependencies,
    deployments,
    effects,
    evidence,
    findings,
    measures,
    migration_plans,
    notices,
    plans,
    previews,
)
from hanbae.rules import casebook, rulebook
from hanbae.sandbox import statuses

SOURCE = Path(hanbae.__file__).parent
GLOSSARY = Path(__file__).parent.parent.parent / "docs" / "translation.md"
TEXT_ID = re.compile(r"^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)+$")
PLACEHOLDER = re.compile(r"\{(\w+)(?:!r)?\}")
# click's own words that people see most; the rest of its catalogue may stay English.
CLICK = (
    "Usage:",
    "Options",
    "Commands",
    "Show this message and exit.",
    "Error: {message}",
    "No such command {name!r}.",
    "Missing parameter: {param_name}",
    "Try '{command} {option}' for help.",
)
#: Functions whose first argument is an id, and names of parameters and variables that hold one.
ERRORS: Final = frozenset(name for name, kind in vars(errors).items() if isinstance(kind, type))
MAKERS: Final = ERRORS | {"Text", "words"}
HOLDERS: Final = frozenset({"text_id", "said", "how"})


def choices(kind: type, field: str) -> tuple[str, ...]:
    """What a field that is one of a few words can be, without None."""
    hint = get_type_hints(kind)[field]
    options = get_args(hint)
    inner = [value for option in options for value in (get_args(option) or (option,))]
    return tuple(value for value in inner if isinstance(value, str))


#: Ids that are put together, with what each hole can be.
BUILT: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "check.by-{}": (choices(findings.Accepted, "by"),),
    "check.example-fails-{}": (get_args(casebook.Where),),
    "check.example-passes-{}": (get_args(casebook.Where),),
    "check.severity-{}": (get_args(findings.Severity),),
    "checklist.by-{}": (tuple(filter(None, get_args(checklists.Identity))),),
    "checklist.is-{}-{}": (("attested", "waived"), ("commit", "until")),
    "checklist.item-{}": (
        tuple(
            set(get_args(documents.Check)) - {"person"}
            | {permitting.NOT_FROZEN, approving.APPROVED}
        ),
    ),
    "checklist.outcome-{}": (get_args(checklists.Outcome),),
    "checklist.phase-{}": (checklists.PHASES,),
    "dependencies.outcome-{}": (get_args(dependencies.Outcome),),
    "deploy.column-{}": (tuple(tables._CELLS),),
    "deploy.outcome-{}": ((*get_args(deployments.Outcome), "waiting"),),
    "deploy.trigger-{}": (choices(deployments.Deployment, "trigger"),),
    "diagnosis.image-{}": (get_args(images.Kind),),
    "diagnosis.{}": (("application-error", "invalid-application", "not-compared"),),
    "diagnosis.{}-attempt": (("job", "migration"),),
    "diagnosis.{}-failed": (("job", "migration"),),
    "diagnosis.{}-killed": (("job", "migration"),),
    "diagnosis.{}-too-long": (("job", "migration"),),
    "evidence.column-{}": (
        ("control", "topic", *evidence_reports.CELLS, *evidence_reports.PLACES),
    ),
    "evidence.control-{}": (
        tuple(
            control.number.lower().replace(".", "-")
            for controls in export_evidence.CONTROLS.values()
            for control in controls
        ),
    ),
    "evidence.title-{}": (get_args(evidence.Framework),),
    "evidence.topic-{}": (get_args(evidence.Topic),),
    "history.change-{}": (get_args(measures.How),),
    "history.column-{}": (tuple(delivery._CELLS),),
    "local.differs-{}": (get_args(parity.Variant),),
    "manifests.refused-{}": (("missing", "outside", "plugin", "remote"),),
    "notify.{}-title": (get_args(notices.State),),
    "effect.{}": (get_args(effects.Action),),
    "migrations.back-{}": (get_args(migration_plans.WayBack),),
    "migrations.blocks-{}": (get_args(effects.Blocked),),
    "migrations.by-{}": (tuple(set(get_args(migration_plans.Basis)) - {"unknown"}),),
    "migrations.lasts-{}": (get_args(effects.Work),),
    "migrations.unknown-{}": (tuple(filter(None, get_args(previews.WhyUnknown))),),
    "plan.fault-{}": (("base", "head"),),
    "plan.{}": (choices(plans.Change, "outcome"),),
    "plan.{}-{}": (("added", "changed", "removed"), ("sealed", "secret")),
    "release.address-{}": (get_args(variables.Reason),),
    "release.in-{}": (("loop", "condition"),),
    "render.beyond-{}": (choices(pools.Excess, "what"),),
    "rule.{}-{}": (
        ("own", *(code.lower() for code in rulebook.rules())),
        ("title", "why", "fix"),
    ),
    "sandbox.state-{}": (tuple(set(choices(statuses.Status, "state")) - {"ready"}),),
    "sandbox.word-{}": (get_args(statuses.State),),
}
#: What looks like a built id and is a key of the policy.
NOT_TEXTS: Final = frozenset({"services.{}"})


def catalogue(language: str) -> dict[str, str]:
    """Every entry; of one with a plural, its first id and its first string."""
    entries: dict[str, str] = {}
    with (SOURCE / "locale" / language / "LC_MESSAGES" / "hanbae.po").open("rb") as file:
        for message in read_po(file, locale=language):
            name = message.id if isinstance(message.id, str) else message.id[0]
            text = message.string
            if name and text:
                entries[name] = text if isinstance(text, str) else text[0]
    return entries


ENGLISH = catalogue("en")
KOREAN = catalogue("ko")
FAMILIES = {text_id.partition(".")[0] for text_id in ENGLISH if "." in text_id}


Kept = ast.Call | ast.Assign | ast.Constant | ast.JoinedStr | ast.FunctionDef | ast.AsyncFunctionDef


# Nothing of this is looked at while tests are collected, which each process of a run does.
@functools.cache
def nodes() -> list[tuple[str, Kept]]:
    """Place and node of whatever may be or take an id in the source."""
    return [
        (f"{name}:{node.lineno}", node)
        for name in sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
        for node in nodes_of(name)
    ]


@functools.cache
def nodes_of(name: str) -> list[Kept]:
    """The same of one module."""
    tree = ast.parse((SOURCE / name).read_text())
    return [node for node in ast.walk(tree) if isinstance(node, Kept)]


def arguments(node: ast.AST) -> list[ast.expr]:
    """The expressions of a node that stand for an id."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args):
            places = {0} if name in MAKERS else takers().get(name, set())
            return [args[index] for index in places if index < len(args)]
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in HOLDERS:
            return [value]
        case _:
            return []


@functools.cache
def takers() -> dict[str, set[int]]:
    """Our own functions with a parameter for an id, and at which place it is, without self."""
    places: dict[str, set[int]] = {}
    for _, node in nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.posonlyargs + node.args.args]
            names = names[1:] if names[:1] == ["self"] else names
            for index, name in enumerate(names):
                if name in HOLDERS and not node.name.startswith("__"):
                    places.setdefault(node.name, set()).add(index)
    return places


def outcomes(node: ast.expr) -> list[ast.expr]:
    """What an expression can come to."""
    if isinstance(node, ast.IfExp):
        return [*outcomes(node.body), *outcomes(node.orelse)]
    return [node]


@functools.cache
def used_ids() -> dict[str, str]:
    """Every id that the source says as it is: given to what takes one, or looking like nothing else."""
    ids: dict[str, str] = {}
    for where, node in nodes():
        for argument in arguments(node):
            for outcome in outcomes(argument):
                # `words` takes help texts and click's words, too.
                if isinstance(outcome, ast.Constant) and TEXT_ID.match(str(outcome.value)):
                    ids.setdefault(str(outcome.value), where)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            family, dot, name = node.value.partition(".")
            if family in FAMILIES and dot and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name):
                ids.setdefault(node.value, where)
    return ids


def built_ids() -> dict[str, str]:
    """The templates of the ids that the source puts together."""
    templates: dict[str, str] = {}
    for where, node in nodes():
        if isinstance(node, ast.JoinedStr):
            parts = [str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values]
            template = "".join(parts)
            if re.fullmatch(r"[a-z]+\.[a-z0-9{}-]+", template):
                templates.setdefault(template, where)
    return {
        template: where
        for template, where in templates.items()
        if template.partition(".")[0] in FAMILIES and template not in NOT_TEXTS
    }


def expanded(template: str) -> list[str]:
    return [template.replace("{}", "%s") % values for values in product(*BUILT[template])]


EXPANDED = sorted({text_id for template in BUILT for text_id in expanded(template)})


@functools.cache
def variants() -> frozenset[str]:
    """The words that some rule has."""
    places = (
        "rules/**/*.py",
        "migrations/**/*.py",
        "checking/acceptance.py",
        "checking/settling.py",
    )
    return frozenset(
        str(node.value)
        for place in places
        for path in SOURCE.glob(place)
        for node in nodes_of(path.relative_to(SOURCE).as_posix())
        if isinstance(node, ast.Constant)
    )


@functools.cache
def rule_sentences() -> list[str]:
    """The sentences of rules that something can say; a variant is a word that some rule has."""
    codes = "|".join(("own", *(code.lower() for code in rulebook.rules())))
    form = re.compile(rf"rule\.(?:{codes})-found(?:-([a-z0-9-]+))?")
    matches = [match for text_id in ENGLISH if (match := form.fullmatch(text_id))]
    return [match[0] for match in matches if match[1] is None or match[1] in variants()]


@pytest.mark.parametrize("code", [code for code in rulebook.rules() if code != "INP001"])
def test_each_rule_has_a_sentence_for_what_it_finds(code: str) -> None:
    assert [
        text_id for text_id in rule_sentences() if text_id.startswith(f"rule.{code.lower()}-found")
    ]


# Tests over every text are one test each: thousands of small ones would cost more than what they look at.
@pytest.mark.parametrize("language", ["English", "Korean"])
def test_text_is_worded_in_both_languages(language: str) -> None:
    catalogue = {"English": ENGLISH, "Korean": KOREAN}[language]
    assert not {text_id: where for text_id, where in used_ids().items() if text_id not in catalogue}


def test_ids_that_are_put_together_are_the_known_ones() -> None:
    assert built_ids().keys() == BUILT.keys(), built_ids()


def test_text_with_a_built_id_is_worded_in_both_languages() -> None:
    assert EXPANDED
    assert not [text_id for text_id in EXPANDED if text_id not in ENGLISH]
    assert not [text_id for text_id in EXPANDED if text_id not in KOREAN]


def facts(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def test_both_languages_use_the_same_facts() -> None:
    assert not ENGLISH.keys() - KOREAN.keys()
    assert not {
        text_id: (english, KOREAN[text_id])
        for text_id, english in ENGLISH.items()
        if facts(english) != facts(KOREAN[text_id])
    }


#: Sentences that write a command of kubectl's out although it asks a cluster, with the reason.
NAMES_NO_CLUSTER: Final = {
    "backup.no-keys": "whoever has lost the keys says of which cluster",
    "demo.kept": "in the sandbox's shell, whose kubeconfig has one cluster",
}
ASKS_A_CLUSTER: Final = re.compile(
    r"kubectl (?:annotate|apply|cordon|delete|describe|edit|exec|get|label|logs|patch|rollout|scale|top|wait)\b"
)


def test_commands_that_ask_a_cluster_come_as_facts_that_name_it() -> None:
    """A policy may know several clusters, and the kubeconfig's current one may be none of them."""
    written_out = {
        text_id
        for catalogue in (ENGLISH, KOREAN)
        for text_id, sentence in catalogue.items()
        # A rule speaks of a habit, and help of what is alike; neither asks anybody.
        if ASKS_A_CLUSTER.search(sentence)
        and TEXT_ID.match(text_id)
        and not text_id.startswith("rule.")
    }
    assert written_out == NAMES_NO_CLUSTER.keys()


def test_korean_help_invents_no_fact() -> None:
    # click fills both of a plural's forms with the same facts.
    clicks = {"possibilities", "choices", "nargs"}
    assert not [
        msgid
        for msgid in KOREAN.keys() - ENGLISH.keys()
        if not facts(KOREAN[msgid]) <= facts(msgid) | clicks
    ]


def id_and_facts(node: ast.AST) -> tuple[str, set[str]] | None:
    """Id and facts of a text, where a call has both written out."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr=name) | ast.Name(id=name),
            args=[ast.Constant(value=str() as text_id), *more],
        ) if name in MAKERS - {"words"}:
            names = {keyword.arg for keyword in node.keywords}
            if not more and None not in names:
                return text_id, {str(name) for name in names}
            match more:
                case [ast.Dict(keys=keys)] if all(isinstance(k, ast.Constant) for k in keys):
                    return text_id, {str(k.value) for k in keys if isinstance(k, ast.Constant)}
    return None


def test_sentences_are_given_the_facts_that_they_tell() -> None:
    checked = 0
    for where, node in nodes():
        text = id_and_facts(node)
        if text is None:
            continue
        text_id, facts = text
        checked += 1
        assert set(PLACEHOLDER.findall(ENGLISH[text_id])) <= facts, where
    assert checked > 100


COMMANDS = [(" ".join(path), command) for path, command in command_tree.walk(path=("hanbae",))]


def heading(command: click.Command) -> str:
    """What stands above the examples."""
    return (command.epilog or "").strip("\n").partition("\n")[0]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_command_and_each_option_have_help_in_both_languages(
    path: str, command: click.Command
) -> None:
    assert command.help, path
    assert command.help in KOREAN, f"no Korean: {command.help!r}"
    assert not command.epilog or heading(command) in KOREAN, f"no Korean: {heading(command)!r}"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{path} {parameter.opts}"
            assert parameter.help in KOREAN, f"no Korean: {parameter.help!r}"


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_leaf_command_shows_examples(path: str, command: click.Command) -> None:
    if not isinstance(command, click.Group):
        assert command.epilog, f"{path}: no example"
        assert "hanbae" in command.epilog


def test_clicks_own_words_are_translated() -> None:
    assert not set(CLICK) - KOREAN.keys()


def help_texts() -> set[str]:
    """What the commands look up: helps, options' helps, and the headings of the examples."""
    texts: set[str] = set()
    for _, command in COMMANDS:
        options = (getattr(parameter, "help", None) for parameter in command.params)
        texts |= {text for text in (command.help, heading(command), *options) if text}
    return texts


def clicks_words() -> set[str]:
    """What click itself looks up, and the names of its types, which it looks up by variable."""
    words = {"file", "directory", "path", "required"}
    for path in Path(click.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="_" | "ngettext" | "gettext"),
                    args=[ast.Constant(value=str() as msgid), *_],
                ):
                    words.add(msgid)
    return words


def test_no_entry_of_the_catalogues_is_unused() -> None:
    written = {str(node.value) for where, node in nodes() if isinstance(node, ast.Constant)}
    ids = {text for text in written if text in ENGLISH} | set(EXPANDED) | set(rule_sentences())
    # The English of click is worded anew where it is for programmers.
    assert ENGLISH.keys() - ids - clicks_words() == set()
    assert KOREAN.keys() - ids - help_texts() - clicks_words() == set()


PLURAL = re.compile(r"\{(\w+):([^{}]*\|[^{}]*)\}")


@pytest.mark.parametrize(("entries", "forms"), [(ENGLISH, 2), (KOREAN, 1)], ids=["en", "ko"])
def test_plural_has_a_form_for_each_case_and_its_number(
    entries: dict[str, str], forms: int
) -> None:
    plurals = {
        msgid: PLURAL.findall(text) for msgid, text in entries.items() if PLURAL.search(text)
    }
    assert (len(plurals) > 10) == (forms > 1)
    for msgid, matches in plurals.items():
        for name, choices_ in matches:
            assert f"{{{name}}}" in entries[msgid], msgid
            assert len(choices_.split("|")) == forms, msgid


@pytest.mark.parametrize("language", ["en", "ko"])
def test_catalogue_is_sorted_and_without_comments(language: str) -> None:
    path = SOURCE / "locale" / language / "LC_MESSAGES" / "hanbae.po"
    text = path.read_text()
    assert not [line for line in text.splitlines() if line.startswith("#")]
    with path.open("rb") as file:
        entries = [message.id for message in read_po(file) if message.id]
    names = [entry if isinstance(entry, str) else entry[0] for entry in entries]
    assert names == sorted(names)
    assert len(names) == text.count("\nmsgid ") + text.startswith("msgid ") - 1, (
        "one is there twice"
    )


# Korean. A particle has two forms, by whether the syllable before it ends in a consonant; nobody knows that of a
# placeholder's value, so a particle follows a noun of ours, as in "파드({pod})가" or "{branch} 브랜치가".

PARTICLES: Final = "은|는|이|가|을|를|와|과|로|으로|라는|이라는|나|이나"
AFTER_VALUE = re.compile(rf"\{{\w+(?:!r)?\}}[`'\"…]*(?:{PARTICLES}|\([가-힣]+\))(?![가-힣])")
AFTER_NOUN = re.compile(rf"([가-힣])\([^()]*\)({PARTICLES})(?![가-힣])")
WITH_CONSONANT: Final = frozenset({"은", "이", "을", "과", "으로", "이라는", "이나"})
RIEUL: Final = 8


def wrong_particles(text: str) -> list[str]:
    """Particles that do not fit the noun before them, or that would have to fit a value."""
    wrong = [match.group() for match in AFTER_VALUE.finditer(text)]
    for noun, particle in AFTER_NOUN.findall(text):
        end = (ord(noun) - ord("가")) % 28
        closed = end not in {0, RIEUL} if particle in {"로", "으로"} else end != 0
        if closed != (particle in WITH_CONSONANT):
            wrong.append(f"{noun}{particle}")
    return wrong


def test_no_korean_particle_depends_on_a_value() -> None:
    assert not {text: wrong for text in KOREAN.values() if (wrong := wrong_particles(text))}


def test_korean_sentences_end_formally() -> None:
    sentence = re.compile(r"([가-힣]*[다요오까죠])[.?](?:\s|$)")
    formal = ("니다", "십시오", "니까")
    assert not [
        text
        for text in KOREAN.values()
        if not all(end.endswith(formal) for end in sentence.findall(text))
    ]


def glossary() -> list[tuple[str, str]]:
    """Each spelling that is not used, with the one that is."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*)\|$", GLOSSARY.read_text(), re.MULTILINE)
    assert len(rows) > 20
    return [
        (wrong.strip(), right)
        for _, right, wrongs in rows[2:]
        for wrong in wrongs.split(",")
        if wrong.strip()
    ]


# Commands, keys, flags, paths and placeholders are not words.
FOREIGN = re.compile(
    r"`[^`]*`|\$\([^)]*\)|\{[^}]*\}|\b(?:hanbae|kubectl|git|argocd) [a-z ]+|--?[a-z][\w-]*|\([a-z-]+\)"
    r"|[\w-]*\w[./_=][\w./*=-]+|^  .*$",
    re.MULTILINE,
)
WORDS = {msgid: FOREIGN.sub(" ", text) for msgid, text in KOREAN.items()}


@pytest.mark.parametrize(("wrong", "right"), glossary())
def test_korean_uses_the_word_of_the_glossary(wrong: str, right: str) -> None:
    word = re.compile(rf"(?<![A-Za-z]){re.escape(wrong)}(?![A-Za-z])")
    misworded = {msgid: text for msgid, text in WORDS.items() if word.search(text)}
    assert not misworded, f"{right}, not {wrong}"
