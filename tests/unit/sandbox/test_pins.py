from __future__ import annotations

import re

import pytest

from hanbae.sandbox import building, golang, pins

COMPONENTS = {component.name: component for component in pins.COMPONENTS}


def go_mod(name: str) -> str:
    return (building.sources(COMPONENTS[name]) / "go.mod").read_text()


def required(name: str) -> dict[str, str]:
    lines = re.findall(
        r"^(?:require |\t)(\S+) (v\S+)(?: // indirect)?$", go_mod(name), re.MULTILINE
    )
    return dict(lines)


def test_every_folder_of_modules_is_a_component_and_the_other_way_round() -> None:
    folders = {path.name for path in building.MODULES.iterdir() if path.is_dir()}
    assert folders == {name for name, component in COMPONENTS.items() if not component.room}


def test_the_runner_is_made_of_what_goose_is_made_of() -> None:
    """So that nothing but its own files is left to compile, and that it behaves as goose does."""
    assert required("hanbae-migrate").items() <= required("goose").items()


@pytest.mark.parametrize("name", sorted(set(COMPONENTS) - {"pause"}))
def test_the_version_that_we_name_is_the_one_that_go_mod_pins(name: str) -> None:
    (direct,) = re.findall(r"^require (\S+) v(\S+)$", go_mod(name), re.MULTILINE)
    module, version = direct
    assert version == COMPONENTS[name].version
    for program in COMPONENTS[name].programs:
        assert program.package == "." or program.package.startswith(module)


@pytest.mark.parametrize("name", sorted(set(COMPONENTS) - {"pause"}))
def test_the_direct_dependency_has_its_checksum(name: str) -> None:
    (direct,) = re.findall(r"^require (\S+ v\S+)$", go_mod(name), re.MULTILINE)
    replaced = re.search(
        rf"^replace {direct.split()[0]} => (\S+ v\S+)$", go_mod(name), re.MULTILINE
    )
    expected = replaced[1] if replaced else direct
    assert f"{expected} h1:" in (building.sources(COMPONENTS[name]) / "go.sum").read_text()


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_no_folder_needs_a_newer_go_than_we_ask_for(name: str) -> None:
    (needed,) = re.findall(r"^go (\S+)$", go_mod(name), re.MULTILINE)
    assert golang.number(f"go{needed}") <= pins.GO_NEEDED
    assert "toolchain" not in go_mod(name)


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_no_replacement_points_into_a_file_system(name: str) -> None:
    assert not re.findall(r"=>\s+[./]", go_mod(name))


def test_argo_cd_runs_the_helm_and_kustomize_that_it_was_released_with() -> None:
    assert (pins.HELM, pins.KUSTOMIZE) == ("4.3.1", "5.8.3")


def test_kubernetes_libraries_are_of_the_kubernetes_release() -> None:
    replaced = re.findall(
        r"^\tk8s\.io/(\S+) => k8s\.io/(\S+) v0\.(\S+)$", go_mod("kubernetes"), re.MULTILINE
    )
    assert len(replaced) >= 29
    for module, by, version in replaced:
        assert (module, f"1.{version}") == (by, pins.KUBERNETES)
