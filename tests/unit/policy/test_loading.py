"""Every fault in ``hanbae.yaml`` has a place, and nothing but a fault comes out of a broken file."""

from __future__ import annotations

import copy
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hanbae import errors, subjects
from hanbae.charts import founding
from hanbae.policy import documents, loading

SMALL = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, sync: auto, namespace_suffix: -dev}
  production: {branch: main, namespace_suffix: -production}
"""
DOCUMENT = founding.policy_file("https://git.example.com/shop.git", language="ko")


def parse(text: str) -> documents.Policy:
    return loading.parse(text.encode(), "hanbae.yaml")[0]


def fault(text: str) -> errors.FileFault:
    with pytest.raises(errors.FileFault) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("one_cluster", [False, True])
def test_policy_documents_own_rows_are_read(language: str, one_cluster: bool) -> None:
    text = founding.policy_file(
        "git@example.com:shop.git", language=language, one_cluster=one_cluster
    )
    policy = parse(text)
    rows = {
        name: (e.platform, e.trigger, e.branch, e.sync) for name, e in policy.environments.items()
    }
    assert rows == {
        "local": ("compose", "manual", None, "manual"),
        "dev": ("kubernetes", "push", "develop", "auto"),
        "staging": ("kubernetes", "push", "release", "manual"),
        "production": ("kubernetes", "push", "main", "manual"),
    }
    assert list(policy.namespaces) == ["gateway", "services", "data", "observability"]
    assert policy.language == language
    assert len(policy.checklists.before) == 4
    assert len(policy.troubleshooting) == 4
    suffixes = [e.namespace_suffix for e in policy.environments.values()]
    assert suffixes == (["", "-dev", "-staging", "-production"] if one_cluster else [""] * 4)


def test_korean_policy_has_the_policy_documents_sentences() -> None:
    policy = parse(DOCUMENT)
    assert (
        policy.checklists.before[0].text == "Docker 이미지가 빌드되고 레지스트리에 푸시되었습니다."
    )
    assert policy.troubleshooting[3].problem == "이미지 풀 실패"


FAULTS = [
    pytest.param("version: 1", "version: 2", "policy.unknown-version", 1, 10, id="version"),
    pytest.param("version: 1\n", "", "policy.missing-key", 1, 1, id="no version"),
    pytest.param("version: 1", "version: true", "policy.unknown-version", 1, 10, id="truth for 1"),
    pytest.param("version", "versoin", "policy.unknown-key-near", 1, 1, id="near key"),
    pytest.param("version: 1", "version: 1\nzzz: 1", "policy.unknown-key", 2, 1, id="unknown key"),
    pytest.param("sync: auto", "snyc: auto", "policy.unknown-key-near", 4, 26, id="nested key"),
    pytest.param("auto", "yes", "policy.not-one-of", 4, 32, id="not one of"),
    pytest.param("auto", "[auto]", "policy.not-one-of", 4, 26, id="list for choice"),
    pytest.param("develop", "7", "policy.expected-text", 4, 17, id="number for text"),
    pytest.param("develop", "../x", "policy.not-a-branch", 4, 17, id="branch"),
    pytest.param("develop", "-x", "policy.not-a-branch", 4, 17, id="branch like an option"),
    pytest.param("branch: main, ", "", "policy.branch-missing", 5, 3, id="no branch"),
    pytest.param(
        "sync: auto",
        "api_versions: [a.io/v1, a.io/Kind]",
        "policy.not-an-api-version",
        4,
        50,
        id="api version without a version",
    ),
    pytest.param(
        "sync: auto",
        "api_versions: [v1]",
        "policy.not-an-api-version",
        4,
        41,
        id="api version without a group",
    ),
    pytest.param(
        "sync: auto",
        "api_versions: [a.io/v1/kind]",
        "policy.not-an-api-version",
        4,
        41,
        id="api version with a resource",
    ),
    pytest.param(
        "sync: auto", "api_versions: v1", "policy.expected-list", 4, 40, id="no list of versions"
    ),
    pytest.param("dev:", "Dev:", "policy.not-a-name", 4, 3, id="name"),
    pytest.param("dev:", '"dev\\n":', "policy.not-a-name", 4, 3, id="name and newline"),
    pytest.param("-production}", "-dev}", "policy.same-namespaces", 5, 48, id="suffixes collide"),
    pytest.param("-dev}", "dev}", "policy.not-a-suffix", 4, 56, id="suffix"),
    pytest.param("production:", "x-dev:", "policy.ambiguous-environments", 5, 3, id="ambiguous"),
    pytest.param(
        "{repository", "{repository: x, repository", "policy.duplicate-key", 2, 25, id="double"
    ),
    pytest.param("https://", "https://u:p@", "policy.password-in-url", 2, 22, id="password"),
    pytest.param(
        '"https://git.example.com/shop.git"',
        "!!python/name:os.system x",
        "policy.tag",
        2,
        22,
        id="tag",
    ),
    pytest.param("argocd: {", "argocd: [", "policy.syntax", 2, 0, id="syntax"),
    pytest.param("argocd: {", "\targocd: {", "policy.syntax", 2, 1, id="tab"),
]


@pytest.mark.parametrize(("old", "new", "text_id", "line", "column"), FAULTS)
def test_fault_is_named_at_its_place(
    old: str, new: str, text_id: str, line: int, column: int
) -> None:
    assert old in SMALL
    error = fault(SMALL.replace(old, new, 1))
    assert error.text.id == text_id
    assert error.place is not None
    assert (error.place.file, error.place.line) == ("hanbae.yaml", line)
    assert not column or error.place.column == column


MORE = [
    ("migrations: {phase: PreSync}", "policy.presync-automated", "migrations.phase"),
    ("migrations: {wave: 0}", "policy.migrations-after-pods", "migrations.wave"),
    ("migrations: {wave: -20}", "policy.secrets-after-migrations", "migrations.wave"),
    ("migrations: {deadline: 10}", "policy.expected-text", "migrations.deadline"),
    ("migrations: {deadline: ten}", "policy.not-a-duration", "migrations.deadline"),
    ("migrations: {deadline: 0s}", "policy.not-a-duration", "migrations.deadline"),
    (f"migrations: {{deadline: {'9' * 5000}s}}", "policy.not-a-duration", "migrations.deadline"),
    (f"migrations: {{ttl: {'9' * 9}s}}", "policy.not-a-duration", "migrations.ttl"),
    (
        f"migrations: {{lock_timeout: {'9' * 5}h}}",
        "policy.not-a-duration",
        "migrations.lock_timeout",
    ),
    (f"rollout: {{deadline: {'9' * 7}m}}", "policy.not-a-duration", "rollout.deadline"),
    ("migrations: {backoff_limit: -1}", "policy.out-of-range", "migrations.backoff_limit"),
    ("migrations: {backoff_limit: true}", "policy.expected-number", "migrations.backoff_limit"),
    ("services: {release: web}", "policy.template-lacks-service", "services.release"),
    ("services: {secret: '{service}-{env}'}", "policy.not-a-template", "services.secret"),
    ("services: {path: services/helm}", "policy.path-needs-one-star", "services.path"),
    ("services: {path: '*/*/helm'}", "policy.path-needs-one-star", "services.path"),
    ("services: {path: 'services/x-*/helm'}", "policy.path-needs-one-star", "services.path"),
    ("services: {path: '../*/helm'}", "policy.not-a-path", "services.path"),
    ("services: {path: '/services/*/helm'}", "policy.not-a-path", "services.path"),
    (
        "namespaces: {a: {services: [x]}, b: {services: [x]}}",
        "policy.service-in-two-namespaces",
        "namespaces.b.services",
    ),
    ("secrets: {controller: nowhere}", "policy.not-a-controller", "secrets.controller"),
    (
        "registries: {a.example.com: {mirrors: [a.example.com/hub]}}",
        "policy.mirror-of-itself",
        "registries.a.example.com.mirrors",
    ),
    ("checklists: {before: [{id: a}]}", "policy.missing-key", "checklists.before[0].text"),
    ("namespaces: [a]", "policy.expected-mapping", "namespaces"),
    ("checklists: {before: 1}", "policy.expected-list", "checklists.before"),
]


@pytest.mark.parametrize(("section", "text_id", "key"), MORE, ids=[m[0][:50] for m in MORE])
def test_broken_section_is_refused_with_its_key(section: str, text_id: str, key: str) -> None:
    error = fault(SMALL + section + "\n")
    assert (error.text.id, error.text.facts["key"]) == (text_id, key)
    assert error.place is not None
    assert error.place.line in {4, 6}  # the section, or the environment that does not go with it


def test_unknown_key_names_the_nearest_and_the_known_ones() -> None:
    facts = fault(SMALL.replace("sync:", "snyc:", 1)).text.facts
    assert facts["nearest"] == "sync"
    assert facts["inside"] == "environments.dev"
    assert "namespace_suffix" in facts["known"]


@pytest.mark.parametrize("how", ["sync: manual", "sync: auto, engine: helm"])
def test_presync_is_accepted_when_no_environment_is_automated(how: str) -> None:
    text = SMALL.replace("sync: auto", how) + "migrations: {phase: PreSync}\n"
    assert parse(text).migrations.phase == "PreSync"


@pytest.mark.parametrize(
    ("dev", "production", "collides"),
    [
        ("", "", True),
        ("control: a", "control: b", False),
        ("control: a", "control: a", True),
        ("control: a, workload: c", "control: b, workload: c", True),
        ("control: a, workload: c", "control: a, workload: d", False),
        ("control: a, workload: c", "control: c", True),
        ("namespace_suffix: -x", "", False),
    ],
)
def test_environments_collide_only_in_the_same_workload_cluster(
    dev: str, production: str, collides: bool
) -> None:
    text = SMALL.replace("namespace_suffix: -dev", dev or "approvals: 0")
    text = text.replace("namespace_suffix: -production", production or "approvals: 0")
    if collides:
        assert fault(text).text.id == "policy.same-namespaces"
    else:
        parse(text)


def test_aliases_are_counted_as_often_as_they_are_used() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for name, before in zip("bcdefgh", "abcdefg", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    assert fault(bomb).text.id == "policy.too-many-values"


@pytest.mark.parametrize(
    ("data", "text_id"),
    [
        (b"", "policy.empty-file"),
        (b"# nothing\n", "policy.empty-file"),
        (b"version: 1\n---\nversion: 1\n", "policy.syntax"),
        (b"a: &a [*a]", "policy.too-deep"),
        (b"[" * 5000, "policy.too-deep"),
        (b"x: \xff", "policy.not-utf8"),
        (b"#" * (1024 * 1024 + 1), "policy.too-large"),
        (b"just text", "policy.expected-mapping"),
        (b"? [a]\n: b", "policy.key-not-text"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else value,
)
def test_what_is_no_policy_at_all_is_refused(data: bytes, text_id: str) -> None:
    with pytest.raises(errors.FileFault) as caught:
        loading.parse(data, "hanbae.yaml")
    assert caught.value.text.id == text_id


@pytest.mark.parametrize("odd", ["", "\t", "!"])
@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000, "&a [*a]"])
def test_what_goes_too_deep_is_told_at_its_line(odd: str, text: str) -> None:
    """Also where only the slow parser reads a policy, whose own fault has no place."""
    error = fault(f"# A comment. {odd}\na: 1\nb:\n  {text}\n")
    assert (error.text.id, error.place and error.place.line) == ("policy.too-deep", 4)


# --- whatever is done to the whole document, the fault has a place ---

PLAIN: Any = YAML(typ="safe", pure=True).load(DOCUMENT)
FREE = {"environments", "namespaces"}  # keys of these are names that the team chooses


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    key_paths = [path] if path else []
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    for key, child in children:
        key_paths += paths(child, (*path, key))
    return key_paths


EVERY = paths(PLAIN)
KEYS = [
    path for path in EVERY if isinstance(path[-1], str) and not (len(path) == 2 and path[0] in FREE)
]


def changed(path: tuple[Any, ...], change: Any) -> str:
    data = copy.deepcopy(PLAIN)
    parent = data
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    text = io.StringIO()
    YAML().dump(data, text)
    return text.getvalue()


@pytest.mark.parametrize("path", KEYS, ids=lambda path: ".".join(map(str, path)))
def test_any_misspelt_key_is_a_fault_with_a_place(path: tuple[Any, ...]) -> None:
    def misspell(parent: Any, key: Any) -> None:
        parent[f"{key}x"] = parent.pop(key)

    text = changed(path, misspell)
    error = fault(text)
    assert error.place is not None
    assert text.splitlines()[error.place.line - 1][error.place.column - 1 :].startswith(
        f"{path[-1]}x:"
    )


@given(
    path=st.sampled_from(EVERY),
    value=st.sampled_from(
        [[[1]], {"x": {"y": 1}}, [{"no": "such"}], -1.5, "\x07", "no such thing\n"]
    ),
)
@settings(max_examples=150)
def test_any_value_of_another_type_is_a_fault_or_still_a_policy(
    path: tuple[Any, ...], value: Any
) -> None:
    text = changed(path, lambda parent, key: parent.__setitem__(key, value))
    try:
        policy = parse(text)
    except errors.FileFault as error:
        place = error.place
    else:  # free text takes any words, and nothing else
        assert isinstance(value, str)
        assert value in free_text(policy)
        return
    assert place is not None
    assert place.line >= 1


def free_text(policy: documents.Policy) -> list[str]:
    """Every free text of a policy."""
    lists = policy.checklists
    items = [item for part in (lists.before, lists.during, lists.after) for item in part]
    return [
        *(i.text for i in items),
        *(text for t in policy.troubleshooting for text in (t.problem, t.solution)),
        *(text for n in policy.namespaces.values() for text in n.purpose),
        *(e.control or "" for e in policy.environments.values()),
        policy.history.url,
    ]


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="version: 1\n-{}[]&*!|>'\"#?,ab\t%@", max_size=200),
    )
)
@settings(max_examples=300)
def test_garbage_is_never_anything_but_a_fault_with_a_place(garbage: bytes | str) -> None:
    data = garbage if isinstance(garbage, bytes) else garbage.encode()
    with pytest.raises(errors.FileFault) as caught:
        loading.parse(data, "hanbae.yaml")
    assert caught.value.place is not None


# --- finding and places ---


def test_policy_is_found_upwards(tmp_path: Path) -> None:
    (tmp_path / "hanbae.yaml").write_text(SMALL)
    nested = tmp_path / "services" / "auth" / "helm"
    nested.mkdir(parents=True)
    assert loading.find(nested) == tmp_path / "hanbae.yaml"
    assert loading.load(loading.find(nested)).root == tmp_path


def test_missing_policy_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(errors.WrongUse, match=re.escape("policy.missing")):
        loading.find(tmp_path)


def test_unreadable_policy_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(errors.FileFault, match=re.escape("policy.unreadable")):
        loading.load(tmp_path / "hanbae.yaml")


def test_places_lead_to_values_and_defaults_to_what_is_around_them(tmp_path: Path) -> None:
    (tmp_path / "hanbae.yaml").write_text(SMALL)
    loaded = loading.load(tmp_path / "hanbae.yaml")
    assert loaded.place("environments.dev.sync") == subjects.Place("hanbae.yaml", 4, 32)
    assert loaded.place("environments.dev.approvals") == subjects.Place("hanbae.yaml", 4, 3)
    assert loaded.place("migrations.wave") == subjects.Place("hanbae.yaml")


def test_byte_order_mark_is_no_content() -> None:
    assert parse("\ufeff" + SMALL).version == 1


@pytest.mark.parametrize("target", ["../secret", ".git/config"])
def test_link_to_no_file_of_the_repository_is_refused_unread(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "clone"
    (folder / ".git").mkdir(parents=True)
    (folder / target).write_text("hunter2")
    (folder / loading.NAME).symlink_to(target)
    with pytest.raises(errors.FileFault) as caught:
        loading.load(folder / loading.NAME)
    assert caught.value.text.id == "policy.link-out"
    assert not caught.value.text.facts


def test_link_to_a_file_beside_the_policy_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(SMALL)
    (tmp_path / loading.NAME).symlink_to("real.yaml")
    assert loading.load(tmp_path / loading.NAME).policy.environments["dev"].branch == "develop"
