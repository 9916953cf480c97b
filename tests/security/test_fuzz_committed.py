"""What a branch has committed for Argo CD, Kustomize and the cluster: every rule says something or nothing of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fuzzing
from tests.support.releases import project

from hanbae import libyaml, subjects
from hanbae.actions import generate_argocd, generate_rbac
from hanbae.argo import authorizing
from hanbae.charts import founding
from hanbae.rules import rulebook

RULES = [rule for rule in rulebook.rules().values() if rule.scope == "project"]
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: as.example.com}
spec: {group: example.com, names: {kind: A, plural: as}, scope: Namespaced, versions: [{name: v1, served: true}]}
"""


def committed() -> dict[str, str]:
    policy = project().policy
    services = [authorizing.Service("auth")]
    return {
        **founding.cluster_files(policy),
        **generate_argocd.manifests(policy, "dev"),
        **generate_rbac.manifests(policy, "dev", services),
        "k8s/base/crd.yaml": DEFINITION,
        "k8s/argocd/dev/application.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        "metadata: {name: a}\nspec: {source: {repoURL: x, path: services/auth/helm}}\n",
    }


FILES = committed()
OBJECTS = {
    path: documents
    for path, text in FILES.items()
    if (documents := [part for part in libyaml.load_all(text) if isinstance(part, dict)])
}


def beyond(files: Mapping[str, str]) -> list[str]:
    """The codes of what is found behind the end of a file."""
    view = project(files, branches={"production": files})
    codes = []
    for rule in RULES:
        for hit in rule.check(view):
            if isinstance(hit.place, subjects.Place) and hit.place.file in files and hit.place.line:
                lines = len(files[hit.place.file].splitlines())
                codes += [rule.code] if hit.place.line > lines + 1 else []
    return codes


def test_what_hanbae_writes_is_read() -> None:
    assert {"k8s/argocd/dev/applicationset.yaml", "k8s/argocd/dev/project.yaml"} <= OBJECTS.keys()
    assert beyond(FILES) == []


@fuzzing.bounded(25)
@given(path=st.sampled_from(sorted(FILES)), data=st.data())
def test_a_damaged_file(path: str, data: st.DataObject) -> None:
    text = data.draw(fuzzing.damaged(FILES[path][:4000])).decode("utf-8", "replace")
    assert beyond({**FILES, path: text}) == []


@fuzzing.bounded(25)
@given(path=st.sampled_from(sorted(OBJECTS)), data=st.data())
def test_objects_of_any_shape(path: str, data: st.DataObject) -> None:
    documents: Any = data.draw(fuzzing.changed(OBJECTS[path]))
    parts = documents if isinstance(documents, list) else [documents]
    text = "---\n".join(f"{json.dumps(part)}\n" for part in parts)
    assert beyond({**FILES, path: text}) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "- - - a", "kind: [ApplicationSet]\nspec: 3\n", "\0"]
)
def test_an_application_set_that_is_none(text: str) -> None:
    assert beyond({**FILES, "k8s/argocd/dev/applicationset.yaml": text}) == []
