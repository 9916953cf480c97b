"""Whatever is in the files of a checkout, reading one gives a result or words: no traceback, and an end."""

from __future__ import annotations

import contextlib
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fuzzing, trees

from hanbae import errors, libyaml
from hanbae.actions import save_plan
from hanbae.apis import crds, schemas
from hanbae.charts import block_lists, gathering, helmignore, manifest_files, overlay_files, values
from hanbae.checking import baselines
from hanbae.clusters import connections, kubeconfigs
from hanbae.policy import documents, loading, nodes
from hanbae.rules import compiled_expressions, expression_worker, ignores

SHOP = Path(__file__).parents[2] / "examples" / "shop"
POLICY = (SHOP / "hanbae.yaml").read_bytes()
VALUES = (SHOP / "services/auth/helm/values-dev.yaml").read_bytes()
IGNORE = b"# c\n.git/\n*.swp\n!keep\n/a/b\n[a-c]?\n"
DIGEST = "a" * 64


@fuzzing.bounded(80)
@given(
    fuzzing.damaged(
        POLICY[:3000],
        VALUES[:1500],
        b"a: &a [1, {b: c}]\nd: *a\n<<: {e: f}\n",
        b"- 1:30\n- 0x1f\n- .inf\n- !!int '7'\n- |\n  text\n- ? {a: b}\n  : c\n",
        b"%YAML 1.1\n%TAG ! tag:x,2000:\n---\na: !x b\n...\n---\nb\n",
    )
)
def test_yaml(data: bytes) -> None:
    for text in (data, data.decode("utf-8", "replace")):
        for read in (
            libyaml.load,
            lambda text: list(libyaml.load_all(text)),
            libyaml.compose,
            lambda text: libyaml.compose(text, tags="core"),
            lambda text: libyaml.compose(text, tags="none"),
            lambda text: list(libyaml.compose_all(text)),
            lambda text: list(libyaml.both(text)),
        ):
            with contextlib.suppress(libyaml.Fault):
                read(text)
        assert libyaml.mapping(text) is None or isinstance(libyaml.mapping(text), dict)


@fuzzing.bounded(25)
@given(fuzzing.damaged(POLICY, POLICY[-4000:]))
def test_the_policy(data: bytes) -> None:
    with fuzzing.expected_errors():
        policy, places = loading.parse(data, "hanbae.yaml")
        assert isinstance(policy, documents.Policy)
        assert len(places) <= nodes.MOST_NODES


@fuzzing.bounded(60)
@given(fuzzing.changed(libyaml.load(POLICY)))
def test_a_policy_of_any_shape(document: Any) -> None:
    with fuzzing.expected_errors():
        policy, _ = loading.parse(json.dumps(document).encode(), "hanbae.yaml")
        assert isinstance(policy, documents.Policy)


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "dev",
    "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
    "clusters": [
        {
            "name": "c",
            "cluster": {
                "server": "https://127.0.0.1:6443",
                "certificate-authority-data": "YQ==",
                "tls-server-name": "x",
                "proxy-url": "http://127.0.0.1:1",
                "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {}}],
            },
        }
    ],
    "users": [
        {
            "name": "u",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "./plugin",
                    "args": ["a"],
                    "env": [{"name": "A", "value": "b"}],
                    "interactiveMode": "Never",
                },
                "as": "someone",
                "as-groups": ["g"],
                "as-user-extra": {"k": ["v"]},
            },
        },
    ],
}
SIMPLE = {
    **KUBECONFIG,
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [
        {"name": "u", "user": {"client-certificate-data": "YQ==", "client-key-data": "YQ=="}}
    ],
}
TOKENS = {**SIMPLE, "users": [{"name": "u", "user": {"tokenFile": "token", "as": "x"}}]}


@fuzzing.bounded(60)
@given(body=st.one_of(*map(fuzzing.changed_json, [KUBECONFIG, SIMPLE, TOKENS])))
async def test_a_kubeconfig(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "kubeconfig"
    path.write_bytes(body)
    with fuzzing.expected_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of plain HTTP, for one
        async with connections.connect(kubeconfig=path) as cluster:
            assert cluster.server
    with fuzzing.expected_errors():
        kubeconfigs.of_context(kubeconfigs.merged([path, path]), "dev")


@fuzzing.bounded(12)
@given(fuzzing.damaged(VALUES[:800]), st.text(max_size=20))
def test_a_values_file(data: bytes, value: str) -> None:
    with fuzzing.expected_errors():
        read = values.Values.parse(data.decode("utf-8", "replace"), "values.yaml")
        before = read.get("image.tag")
        read.set("image.tag", value)
        assert read.get("image.tag") == value or before == value
        read.set(("sealedSecret", "encryptedData", "A.B"), value)
        again = values.Values.parse(read.text(), "values.yaml")
        assert again.get(("sealedSecret", "encryptedData", "A.B")) == value


CHART = b"apiVersion: v2\nname: auth\nversion: 1.0.0\ndependencies:\n- {name: a, version: ^1, repository: 'file://../a'}\n"


@fuzzing.bounded(100)
@given(fuzzing.damaged(CHART), fuzzing.damaged(IGNORE, "*.md\n!a?c\n/b/[a-z]*\n\\#x\n"))
def test_a_chart_with_its_dependencies_and_its_ignored_files(chart: bytes, ignored: bytes) -> None:
    contents = {
        "services/auth/helm/Chart.yaml": chart,
        "services/auth/helm/.helmignore": ignored,
        "services/auth/helm/requirements.yaml": chart,
        "services/auth/a/Chart.yaml": chart,
        "services/auth/a/charts/b.tgz": b"x",
    }
    tree: Any = trees.MemoryTree(contents)
    with fuzzing.expected_errors():
        listed = gathering.listed(tree, "services/auth/helm")
        assert set(listed.values()) <= set(contents)
        present = gathering.files(tree, "services/auth/helm")
        gathering.digest(tree, "services/auth/helm")
        gathering.completed(tree, "services/auth/helm", present, ["a"])


@fuzzing.bounded(60)
@given(fuzzing.damaged("*.md\n!a?c\n/b/[a-z]*\n\\#x\n[^a-]\n"), st.text(max_size=30))
def test_patterns_of_helmignore(text: bytes, name: str) -> None:
    with contextlib.suppress(ValueError):
        assert helmignore.Rules(text.decode("utf-8", "replace")).keeps_out(name) in {True, False}


BASELINE = {
    "version": 1,
    "findings": [
        {
            "file": "a",
            "code": "ARG001",
            "fingerprint": "b" * 32,
            "environments": ["dev"],
            "count": 2,
        }
    ],
}


@fuzzing.bounded(100)
@given(fuzzing.changed_json(BASELINE))
def test_a_baseline(data: bytes) -> None:
    tree: Any = trees.MemoryTree({baselines.NAME: data})
    with fuzzing.expected_errors():
        assert baselines.read(tree) is not None


PLAN = {
    "kind": "hanbae-plan",
    "format": 1,
    "hanbae": "0.1",
    "environment": "dev",
    "branch": "dev",
    "revision": "a" * 40,
    "policy": DIGEST,
    "cluster": "u",
    "services": [
        {
            "service": "auth",
            "objects": DIGEST,
            "images": {"a/b:1": f"sha256:{DIGEST}"},
            "migrations": {"auth_db": {"1": DIGEST}},
        }
    ],
}


@fuzzing.bounded(100)
@given(data=fuzzing.changed_json(PLAN))
def test_a_saved_plan(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(data)
    with fuzzing.expected_errors():
        frozen = save_plan.read(path)
        save_plan.write(frozen, path)
        assert save_plan.read(path) == frozen


@pytest.mark.parametrize("opening", [b"[", b'{"kind":'])
def test_documents_that_go_deeper_than_the_stack(tmp_path: Path, opening: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(opening * 200_000)
    with pytest.raises(errors.FileFault):
        save_plan.read(path)
    tree: Any = trees.MemoryTree({baselines.NAME: opening * 200_000})
    with pytest.raises(errors.FileFault):
        baselines.read(tree)


DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "as.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "A", "plural": "as"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "a": {"type": "string", "pattern": "^(a|b)+$", "enum": ["a"]},
                                    "b": {"type": "array", "items": {"type": "integer"}},
                                    "c": {"x-kubernetes-int-or-string": True, "anyOf": [{}]},
                                    "d": {"additionalProperties": {"type": "number", "maximum": 3}},
                                    "e": {"x-kubernetes-preserve-unknown-fields": True},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


@fuzzing.bounded(120)
@given(fuzzing.changed(DEFINITION))
def test_a_definition_and_its_schema(definition: Any) -> None:
    for kind in crds.kinds(definition) if isinstance(definition, dict) else ():
        schema = schemas.added(kind, "1.35")
        if schema is not None:
            object_ = {"apiVersion": "example.com/v1", "kind": "A", "spec": {"a": "c", "z": 1}}
            assert all(problem.keyword for problem in schema.problems(object_))


EXPRESSIONS = (
    "object.spec.replicas > 1 && object.metadata.name.startsWith('a')",
    "has(object.a) ? object.a.all(x, x.matches('^(a+)+$')) : [1, 2].exists(y, y in object.b)",
)


@fuzzing.bounded(60)
@given(fuzzing.damaged(*EXPRESSIONS), fuzzing.changed({"spec": {"replicas": 2}, "a": ["x"]}))
def test_an_expression_of_the_teams_own(expression: bytes, manifest: Any) -> None:
    text = expression.decode("utf-8", "replace")[:4096]
    with contextlib.suppress(compiled_expressions.Unusable):
        if isinstance(manifest, dict):
            for verdict in expression_worker.evaluate(text, [manifest]):
                assert isinstance(verdict, bool | str)


@fuzzing.bounded(80)
@given(
    fuzzing.damaged(
        "resources:\n  - a\n  - b.yaml # c\nnamespace: x\n",
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: services-dev\n---\nkind: LimitRange\n",
    )
)
def test_files_that_are_brought_up_to_date(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    policy, _ = loading.parse(POLICY, "hanbae.yaml")
    with fuzzing.expected_errors():
        block_lists.read(text, "resources", "kustomization.yaml")
    with fuzzing.expected_errors():
        overlay_files.resources("kustomization.yaml", text)
    with fuzzing.expected_errors():
        manifest_files.namespaces(policy, "namespaces.yaml", text)
    with fuzzing.expected_errors():
        manifest_files.limits(policy, "limits.yaml", text)


@fuzzing.bounded(100)
@given(
    fuzzing.damaged(
        "# hanbae: ignore ARG001 why\n{{/* hanbae: ignore SEC001,SEC002 b */}}\n-- hanbae: ignore\n"
    )
)
def test_comments_that_accept_findings(data: bytes) -> None:
    for ignore in ignores.parse(data.decode("utf-8", "replace"), "a.yaml"):
        assert ignore.place.file == "a.yaml"
