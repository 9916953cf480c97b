"""What Applications say of their sources, and what charts make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hanbae import errors, libyaml
from hanbae.argo import value_files
from hanbae.planning import releases
from hanbae.policy import documents, loading
from hanbae.repository import services, trees
from hanbae.rules import application_sources

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
services: {path: "charts/*", release: "{service}"}
environments:
  dev: {branch: main, sync: manual}
"""
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: NAME}
spec:
  source:
    repoURL: https://git.example.com/SHOP
    path: ./charts/cart/
    helm: HELM
"""


def overrides(root: Path, helm: str, name: str = "cart-dev") -> list[dict[str, Any]]:
    """What an Application lays over the values of the chart."""
    (root / "argo").mkdir(exist_ok=True)
    (root / "argo/cart.yaml").write_text(APPLICATION.replace("NAME", name).replace("HELM", helm))
    policy, _ = loading.parse(POLICY.encode(), "hanbae.yaml")
    layers = releases.overrides(trees.WorkingTree(root), policy, "cart", "dev", [b"a: [1, 2]\n"])
    return [libyaml.mapping(layer) or {} for layer in layers.values]


def test_inline_values_and_parameters_are_laid_over_in_argo_cds_order(tmp_path: Path) -> None:
    helm = (
        "{valuesObject: {b: 1}, values: 'b: 2', parameters: "
        "[{name: c.d, value: '3'}, {name: e, value: '4', forceString: true}]}"
    )
    assert overrides(tmp_path, helm) == [{"b": 1}, {"c": {"d": 3}, "e": "4"}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("False", False),
        ("TRUE", True),
        ("{Null, 1}", [None, 1]),
        ("+5", 5),
        ("-05", -5),
        ("05", "05"),
        ("9223372036854775807", 9223372036854775807),
        ("9223372036854775808", "9223372036854775808"),
        ("1.5", "1.5"),
    ],
)
def test_a_parameters_type_is_what_helms_set_takes_it_for(
    tmp_path: Path, text: str, value: Any
) -> None:
    helm = f"{{parameters: [{{name: a, value: '{text}'}}]}}"
    assert overrides(tmp_path, helm) == [{"a": value}]


@pytest.mark.parametrize("index", ["9" * 5000, "4000", "0001"])
def test_the_index_of_a_parameter_is_bounded(tmp_path: Path, index: str) -> None:
    (layer,) = overrides(tmp_path, f"{{parameters: [{{name: 'a[{index}]', value: x}}]}}")
    assert layer["a"][-1] == "x"
    assert len(layer["a"]) == (2 if index == "0001" else 1001)


def test_files_beside_the_chart_are_merged_over_what_the_application_says(tmp_path: Path) -> None:
    chart = tmp_path / "charts/cart"
    chart.mkdir(parents=True)
    (chart / ".argocd-source.yaml").write_text("helm: {valuesObject: {b: {x: 9}, c: null}}\n")
    (chart / ".argocd-source-cart-dev.yaml").write_text("helm: {valuesObject: {d: 5}}\n")
    helm = "{valuesObject: {b: {x: 1, z: 2}, c: 3}}"
    assert overrides(tmp_path, helm) == [{"b": {"x": 9, "z": 2}, "d": 5}]


def test_what_argo_cd_knows_of_the_application_is_put_in_and_the_commit_is_left(
    tmp_path: Path,
) -> None:
    helm = (
        "{parameters: [{name: a, value: '$ARGOCD_APP_NAME/${ARGOCD_APP_NAMESPACE}'}, "
        "{name: b, value: $ARGOCD_APP_REVISION}]}"
    )
    assert overrides(tmp_path, helm) == [{"a": "cart-dev/services", "b": "$ARGOCD_APP_REVISION"}]


def test_a_parameter_that_is_a_file_holds_its_content(tmp_path: Path) -> None:
    chart = tmp_path / "charts/cart"
    chart.mkdir(parents=True)
    (chart / "motd").write_text("7")
    helm = "{fileParameters: [{name: motd, path: motd}]}"
    assert overrides(tmp_path, helm) == [{"motd": "7"}]
    for path in ("gone", "../../../etc/passwd", "/.git/config"):
        with pytest.raises(errors.FileFault) as caught:
            overrides(tmp_path, f"{{fileParameters: [{{name: motd, path: {path}}}]}}")
        assert caught.value.text.id == "application.no-file"
        assert caught.value.place is not None
        assert caught.value.place.file == "argo/cart.yaml"


def test_applications_of_others_say_nothing(tmp_path: Path) -> None:
    helm = "{parameters: [{name: a, value: b}]}"
    assert overrides(tmp_path, helm, name="other-dev") == []
    text = APPLICATION.replace("NAME", "cart-dev").replace("HELM", helm)
    (tmp_path / "argo/cart.yaml").write_text(text.replace("SHOP", "theirs"))
    policy, _ = loading.parse(POLICY.encode(), "hanbae.yaml")
    assert releases.overrides(trees.WorkingTree(tmp_path), policy, "cart", "dev", ()) == (
        releases.Overrides()
    )


def test_a_tree_is_read_anew_for_each_policy(tmp_path: Path) -> None:
    (tmp_path / "argo").mkdir()
    (tmp_path / "argo/cart.yaml").write_text(
        APPLICATION.replace("NAME", "cart-dev").replace("HELM", "{skipCrds: true}")
    )
    tree = trees.WorkingTree(tmp_path)
    for repository, source in (("shop", {"helm": {"skipCrds": True}}), ("other", {})) * 2:
        text = POLICY.replace("/shop.git", f"/{repository}.git")
        policy, _ = loading.parse(text.encode(), "hanbae.yaml")
        written = application_sources.in_files(policy, tree, "cart", "dev")
        assert written.source == source


def policy_and_tree(root: Path) -> tuple[documents.Policy, trees.Tree]:
    policy, _ = loading.parse(POLICY.encode(), "hanbae.yaml")
    for name in ("values.yaml", "values-dev.yaml", "more/b.yaml", "more/a.yaml"):
        path = root / "charts/cart" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"from: {name}\n")
    (root / "charts/cart/Chart.yaml").write_text("apiVersion: v2\nname: cart\nversion: 0.1.0\n")
    tree = trees.WorkingTree(root)
    return services.located(policy, tree), tree


def live(helm: dict[str, Any], **spec: Any) -> dict[str, Any]:
    source = {"path": "charts/cart", "repoURL": "https://git.example.com/shop.git", "helm": helm}
    return {"spec": {"project": "team", "source": source, **spec}}


def test_what_is_changed_in_the_cluster_alone_is_known(tmp_path: Path) -> None:
    policy, _ = policy_and_tree(tmp_path)
    where = policy, "cart", "dev"
    ours = {
        "parameters": [{"name": "image.tag", "value": "1"}, {"name": "a", "value": "1"}],
        "valuesObject": {"replicas": {"min": 1, "max": 2}},
        "valueFiles": ["values-dev.yaml"],
    }
    theirs = {
        "parameters": [{"name": "image.tag", "value": "2"}, {"name": "a", "value": "1"}],
        "valuesObject": {"replicas": {"min": 1, "max": 3}},
        "valueFiles": ["values-dev.yaml", "more/a.yaml"],
        "skipCrds": True,
        "ignoreMissingValueFiles": True,
    }
    former = application_sources.of_live(*where, live(ours))
    for settings, names in (
        (ours, ()),
        (
            theirs,
            (
                "image.tag",
                "replicas.max",
                "helm.valueFiles",
                "helm.ignoreMissingValueFiles",
                "helm.skipCrds",
            ),
        ),
        ({}, ("image.tag", "a", "replicas.min", "replicas.max", "helm.valueFiles")),
    ):
        now = application_sources.of_live(*where, live(settings))
        assert application_sources.live_settings(*where, live=now, former=former) == names


def test_an_application_with_the_policys_values_files_says_nothing_else(tmp_path: Path) -> None:
    policy, _ = policy_and_tree(tmp_path)
    where = policy, "cart", "dev"
    for listed in (["values-dev.yaml"], ["values.yaml", "/charts/cart/values-dev.yaml"]):
        now = application_sources.of_live(*where, live({"valueFiles": listed}))
        former = application_sources.Written("cart-dev")
        assert application_sources.live_settings(*where, live=now, former=former) == ()


@pytest.mark.parametrize(
    ("listed", "more", "paths", "missing"),
    [
        (["values-dev.yaml"], {}, ["charts/cart/values-dev.yaml"], []),
        (
            ["more/*.yaml", "/charts/cart/values-dev.yaml"],
            {},
            ["charts/cart/more/a.yaml", "charts/cart/more/b.yaml", "charts/cart/values-dev.yaml"],
            [],
        ),
        (["values-${ARGOCD_ENV}dev.yaml"], {}, ["charts/cart/values-dev.yaml"], []),
        (["gone.yaml"], {}, [], ["charts/cart/gone.yaml"]),
        (["gone.yaml"], {"ignoreMissingValueFiles": True}, [], []),
        (["../../../etc/passwd", "https://example.com/v.yaml"], {}, [], []),
    ],
)
def test_values_files_of_an_application_in_the_cluster_are_read(
    tmp_path: Path, listed: list[str], more: dict[str, Any], paths: list[str], missing: list[str]
) -> None:
    policy, tree = policy_and_tree(tmp_path)
    now = application_sources.of_live(policy, "cart", "dev", live({"valueFiles": listed} | more))
    values = releases.values(tree, policy, "cart", "dev", written=now)
    assert list(values.paths) == paths
    assert list(values.missing) == missing
    own = [text.facts["names"] for text in now.unrendered]
    assert own == (
        ["helm.valueFiles ../../../etc/passwd, helm.valueFiles https://example.com/v.yaml"]
        if "://" in listed[-1]
        else []
    )


@pytest.mark.parametrize(
    "pattern",
    [
        "env?/eu/values.yaml",
        "env*/eu/values.yaml",
        "env1/eu/value?.yaml",
        "*/?u/*.yaml",
        "**/*.yaml",
    ],
)
def test_a_pattern_of_values_files_may_be_in_any_part_of_a_path(
    tmp_path: Path, pattern: str
) -> None:
    file = tmp_path / "env1/eu/values.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("")
    matched = value_files.matched(trees.WorkingTree(tmp_path), pattern)
    assert matched == ("env1/eu/values.yaml",)


def test_values_files_of_another_source_are_those_of_its_repository(tmp_path: Path) -> None:
    policy, _ = policy_and_tree(tmp_path)
    files = ["$ours/charts/cart/values-dev.yaml", "$theirs/x.yaml"]
    chart = live({"valueFiles": files})["spec"]["source"]
    sources = [
        chart,
        {"repoURL": "https://git.example.com/SHOP", "ref": "ours"},
        {"repoURL": "https://git.example.com/other", "ref": "theirs"},
    ]
    now = application_sources.of_live(policy, "cart", "dev", {"spec": {"sources": sources}})
    assert now.files == value_files.Listed(("charts/cart/values-dev.yaml",), ("$theirs/x.yaml",))


def test_what_an_application_says_to_helm_reaches_the_renderer(tmp_path: Path) -> None:
    policy, tree = policy_and_tree(tmp_path)
    helm = {
        "skipCrds": True,
        "skipSchemaValidation": True,
        "kubeVersion": "1.30.0",
        "apiVersions": ["example.com/v1"],
        "namespace": "elsewhere",
    }
    now = application_sources.of_live(policy, "cart", "dev", live(helm))
    overrides = releases.overrides(tree, policy, "cart", "dev", (), written=now)
    request = releases.requested(tree, policy, "cart", "dev", (), overrides=overrides)
    assert (request.skip_crds, request.skip_schema) == (True, True)
    assert (request.kube_version, request.api_versions) == ("1.30.0", ("example.com/v1",))
    assert request.namespace == "elsewhere"


@pytest.mark.parametrize(
    ("helm", "version_is_known", "apis_are_known"),
    [
        ({}, False, False),
        ({"kubeVersion": "1.30.0"}, True, False),
        ({"apiVersions": ["example.com/v1"]}, False, True),
    ],
)
def test_an_application_settles_what_it_says_of_the_cluster_and_no_more(
    tmp_path: Path, helm: dict[str, Any], version_is_known: bool, apis_are_known: bool
) -> None:
    policy, tree = policy_and_tree(tmp_path)
    now = application_sources.of_live(policy, "cart", "dev", live(helm))
    overrides = releases.overrides(tree, policy, "cart", "dev", (), written=now)
    request = releases.requested(tree, policy, "cart", "dev", (), overrides=overrides)
    assert (request.version_is_known, request.apis_are_known) == (version_is_known, apis_are_known)


def test_an_application_of_another_folder_is_not_the_services(tmp_path: Path) -> None:
    policy, _ = policy_and_tree(tmp_path)
    assert application_sources.is_about(policy, "cart", "dev", live({}))
    other = live({})
    other["spec"]["source"]["path"] = "charts/other"
    assert not application_sources.is_about(policy, "cart", "dev", other)
