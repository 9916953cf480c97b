"""Rules see the pods of a service that names no image yet; whoever deploys or renders it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae.actions import check, init, new_service
from hanbae.charts import pools
from hanbae.checking import projects, unbegun
from hanbae.policy import loading, naming


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(tmp_path, "auth")
    return tmp_path / naming.chart(loading.load(tmp_path / loading.NAME).policy, "auth")


async def test_what_is_wrong_in_a_template_is_found_before_an_image_is_named(chart: Path) -> None:
    template = chart / "templates/deployment.yaml"
    lines = template.read_text().splitlines()
    line = next(
        number for number, text in enumerate(lines, 1) if "allowPrivilegeEscalation" in text
    )
    template.write_text(
        template.read_text().replace(
            "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"
        )
    )
    result = await check.check(chart)
    places = {str(finding.place) for finding in result.findings}
    assert f"services/auth/helm/templates/deployment.yaml:{line}" in places
    assert [service.service for service in result.unprepared] == ["auth"]


async def test_the_values_that_rules_see_are_those_of_the_file(chart: Path) -> None:
    async with pools.opened() as pool:
        rendered = await projects.service(pool, projects.project(chart), "auth")
    for release in rendered.service.releases.values():
        assert {"Deployment", "Job"} <= {manifest.kind for manifest in release.objects}
        assert release.value("image", "tag") == ""
        assert not release.prepared
        assert release.layer == b'{"image":{"tag":"0.1.0"}}'


@pytest.mark.parametrize("image", ["busybox:1", '"{{ .Values.image.repository }}-proxy:2"'])
async def test_a_pod_of_another_image_does_not_hide_those_that_are_to_come(
    chart: Path, image: str
) -> None:
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: a, image: {image}}}]}}\n"
    (chart / "templates/pod.yaml").write_text(pod)
    async with pools.opened() as pool:
        rendered = await projects.service(pool, projects.project(chart), "auth")
    for release in rendered.service.releases.values():
        assert {"Pod", "Deployment"} <= {manifest.kind for manifest in release.objects}


async def test_a_chart_with_a_default_for_its_tag_is_seen_as_it_is(chart: Path) -> None:
    names = chart / "templates/_names.tpl"
    text = names.read_text()
    assert "or .Values.image.tag .Values.image.digest" in text
    names.write_text(text.replace("or .Values.image.tag .Values.image.digest", "true"))
    async with pools.opened() as pool:
        rendered = await projects.service(pool, projects.project(chart), "auth")
    assert {release.layer for release in rendered.service.releases.values()} == {b""}


async def test_a_named_image_needs_no_layer(chart: Path) -> None:
    for environment in ("dev", "staging", "prod"):
        values = chart / f"values-{environment}.yaml"
        values.write_text(values.read_text().replace('tag: ""', "tag: v1"))
    async with pools.opened() as pool:
        rendered = await projects.service(pool, projects.project(chart), "auth")
    assert {release.layer for release in rendered.service.releases.values()} == {b""}


@pytest.mark.parametrize(
    ("text", "version"),
    [(b"appVersion: '7'\n", "7"), (b"name: a\n", "0.0.0"), (b"[", "0.0.0"), (None, "0.0.0")],
)
def test_the_tag_is_the_version_of_the_chart(text: bytes | None, version: str) -> None:
    assert unbegun._version(text) == version
