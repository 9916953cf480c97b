"""What Applications say of their sources, and what charts make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hanbae import errors, libyaml
from hanbae.planning import releases
from hanbae.policy import loading
from hanbae.repository import trees
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
    return [libyaml.mapping(layer) for layer in layers]


def test_inline_values_and_parameters_are_laid_over_in_argo_cds_order(tmp_path: Path) -> None:
    helm = (
        "{valuesObject: {b: 1}, values: 'b: 2', parameters: "
        "[{name: c.d, value: '3'}, {name: e, value: '4', forceString: true}]}"
    )
    assert overrides(tmp_path, helm) == [{"b": 1}, {"c": {"d": 3}, "e": "4"}]


def test_files_beside_the_chart_are_merged_over_what_the_application_says(tmp_path: Path) -> None:
    chart = tmp_path / "charts/cart"
    chart.mkdir(parents=True)
    (chart / ".argocd-source.yaml").write_text("helm: {valuesObject: {b: {x: 9}, c: null}}\n")
    (chart / ".argocd-source-cart-dev.yaml").write_text("helm: {valuesObject: {d: 5}}\n")
    helm = "{valuesObject: {b: {x: 1, y: 2}, c: 3}}"
    assert overrides(tmp_path, helm) == [{"b": {"x": 9, "y": 2}, "d": 5}]


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
    assert releases.overrides(trees.WorkingTree(tmp_path), policy, "cart", "dev", ()) == ()


def test_what_is_changed_in_the_cluster_alone_is_known() -> None:
    source = {"path": "charts/cart", "kustomize": {"images": ["a:2"], "namePrefix": "x-"}}
    written = application_sources.Written("cart-dev", {"kustomize": {"namePrefix": "x-"}})
    live = {"spec": {"source": source}}
    assert application_sources.live_settings(live, written) == ("kustomize.images",)


def test_what_argo_cd_heeds_and_hanbae_does_not_is_said() -> None:
    helm = {"skipCrds": True, "kubeVersion": "1.30.0", "parameters": [{"name": "a"}]}
    (text,) = application_sources.Written("cart-dev", {"helm": helm}).unrendered
    assert text.id == "application.not-rendered"
    assert text.facts["names"] == "helm.kubeVersion, helm.skipCrds"
    assert application_sources.Written("cart-dev", {"helm": {"parameters": []}}).unrendered == ()
