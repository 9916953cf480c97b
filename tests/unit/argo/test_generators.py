"""The sets of a policy with several globs: what Argo CD makes of them is what is compared with a cluster."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from tests.support import foreign, trees

from hanbae.argo import generating
from hanbae.policy import documents, loading
from hanbae.repository import services

FILES = tuple(foreign.files())


def located(text: str = foreign.POLICY) -> documents.Policy:
    policy, _ = loading.parse(text.encode(), "hanbae.yaml")
    contents = {path: content.encode() for path, content in foreign.files().items()}
    return services.located(policy, trees.MemoryTree(contents))


def matches(pattern: str, path: str, *, across: bool) -> bool:
    """As the generators do: that of files takes ``*`` for any path, unless the controller is told otherwise."""
    if across:
        return fnmatchcase(path, pattern)
    parts, names = pattern.split("/"), path.split("/")
    return len(parts) == len(names) and all(map(fnmatchcase, names, parts))


def folders(git: dict[str, Any], files: tuple[str, ...], *, across: bool) -> list[str]:
    """What a git generator finds: folders, or those of files."""
    if "directories" in git:
        every = {path.rpartition("/")[0] for path in files}
        entries, across = git["directories"], False
    else:
        every, entries = set(files), git["files"]
    taken = {
        path
        for entry in entries
        if not entry.get("exclude")
        for path in every
        if matches(entry["path"], path, across=across)
    }
    left_out = {
        path
        for entry in entries
        if entry.get("exclude")
        for path in taken
        if matches(entry["path"], path, across=across)
    }
    return sorted(p if "directories" in git else p.rpartition("/")[0] for p in taken - left_out)


def filled(node: Any, folder: str) -> Any:
    if isinstance(node, dict):
        return {key: filled(value, folder) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, folder) for value in node]
    if isinstance(node, str):
        parts = folder.split("/")
        choice = re.fullmatch(
            r"\{\{ if eq \(index \.path\.segments (\d)\) (.*?) \}\}(.*)\{\{ else \}\}(.*)\{\{ end \}\}",
            node,
        )
        if choice:
            return choice[3] if f'"{parts[int(choice[1])]}"' in choice[2] else choice[4]
        return re.sub(r"\{\{ index \.path\.segments (\d) \}\}", lambda m: parts[int(m[1])], node)
    return node


def merged(own: Any, base: Any) -> Any:
    """What Argo CD's merge makes of a generator's template and the set's: the set fills what is missing."""
    if isinstance(own, dict) and isinstance(base, dict):
        return {key: merged(own.get(key), base.get(key)) for key in {*own, *base}}
    return base if own is None else own


def applications(
    policy: documents.Policy,
    environment: str,
    files: tuple[str, ...] = FILES,
    *,
    across: bool = True,
) -> dict[str, Any]:
    spec = generating.application_set(policy, environment)["spec"]
    every: list[dict[str, Any]] = []
    for generator in spec["generators"]:
        git = generator["git"]
        template = merged(git.get("template"), spec["template"])
        every += [filled(template, folder) for folder in folders(git, files, across=across)]
    names = [application["metadata"]["name"] for application in every]
    assert len(set(names)) == len(names)
    return dict(zip(names, every, strict=True))


TEXTS = {
    "as it is": foreign.POLICY,
    "in the chart": foreign.POLICY.replace(
        "envs/{environment}/{service}.yaml", "./e/{environment}.yaml"
    ),
    "names": foreign.POLICY.replace(
        "{solo: {path: helm}}",
        "{solo: {path: helm, release: s}, pay: {secret: x, namespace: money}}",
    ),
    "by environment": foreign.POLICY.replace(
        'release: "{service}"', 'release: "{environment}-{service}"'
    )
    .replace('"{service}-{environment}"', '"{environment}-{service}"')
    .replace("  secret", '  namespace: "team-{environment}"\n  secret'),
    "by service": foreign.POLICY.replace("  secret", '  namespace: "{service}"\n  secret'),
    "a namespace of its own": foreign.POLICY + "namespaces: {money: {services: [pay, solo]}}\n",
    "above": foreign.POLICY.replace('["charts/platform"]', '["charts", "services/auth"]'),
}


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("environment", foreign.ENVIRONMENTS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_set_makes_just_the_applications_of_the_services(
    text: str, environment: str, across: bool
) -> None:
    policy = located(text)
    files = (*FILES, "charts/pay/charts/redis/Chart.yaml", "charts/README.md", "charts/docs/x.md")
    actual = applications(policy, environment, files, across=across)
    expected = {}
    contents = dict.fromkeys(files, b"")
    for name in services.of(policy, trees.MemoryTree(contents)):
        application = generating.application(policy, name, environment)
        application["spec"]["syncPolicy"]["retry"] = {"limit": 0}
        expected[application["metadata"]["name"]] = application
    assert actual.keys() == expected.keys()
    for name, application in actual.items():
        assert application["spec"] == expected[name]["spec"]
        assert application["metadata"]["labels"] == expected[name]["metadata"]["labels"]


def test_overlays_are_built_by_kustomize_and_never_by_helm() -> None:
    text = foreign.POLICY.replace('"charts/*"]', '"charts/*", "apps/*/overlays/{environment}"]')
    files = (
        *FILES,
        "apps/gateway/overlays/dev/kustomization.yaml",
        "apps/gateway/overlays/prod/kustomization.yml",
        "apps/mail/overlays/dev/Kustomization",
        "apps/docs/overlays/dev/README.md",
    )
    policy = services.located(
        loading.parse(text.encode(), "hanbae.yaml")[0],
        trees.MemoryTree(dict.fromkeys(files, b"")),
    )
    assert services.of(policy, trees.MemoryTree(dict.fromkeys(files, b""))) == tuple(
        foreign.SERVICES
    )
    # A folder is all that tells plain manifests: one of documents makes an Application of nothing.
    names = {name: f"{name}-dev" for name in (*foreign.SERVICES, "docs", "gateway", "mail")}
    every = applications(policy, "dev", files)
    assert sorted(every) == sorted(names.values())
    assert every["mail-dev"]["spec"]["source"] == {
        "repoURL": "https://git.example.com/r.git",
        "targetRevision": "refs/heads/develop",
        "path": "apps/mail/overlays/dev",
    }
    assert "sources" not in every["mail-dev"]["spec"]
    assert every["mail-dev"]["metadata"]["labels"]["hanbae.dev/service"] == "mail"
    assert "gateway-prod" in applications(policy, "prod", files)
    assert "mail-prod" not in applications(policy, "prod", files)


def test_namespaces_of_services_with_overlays_may_be_deployed_to() -> None:
    text = foreign.POLICY.replace('"charts/*"]', '"apps/*/overlays/{environment}"]').replace(
        "  secret", '  namespace: "{service}"\n  secret'
    )
    contents = dict.fromkeys((*FILES, "apps/gateway/overlays/dev/kustomization.yaml"), b"")
    policy = services.located(
        loading.parse(text.encode(), "hanbae.yaml")[0], trees.MemoryTree(contents)
    )
    assert "gateway-dev" in generating.namespaces(policy, "dev")


def test_values_outside_of_the_chart_come_from_a_second_source() -> None:
    application = generating.application(located(), "auth", "dev")
    sources = application["spec"]["sources"]
    assert "source" not in application["spec"]
    assert sources[0]["helm"]["valueFiles"] == ["values.yaml", "$values/envs/dev/auth.yaml"]
    assert sources[1]["ref"] == "values"
    assert {source["repoURL"] for source in sources} == {"https://git.example.com/r.git"}
    assert {source["targetRevision"] for source in sources} == {"refs/heads/develop"}


def test_values_in_the_chart_need_no_second_source() -> None:
    application = generating.application(located(TEXTS["in the chart"]), "auth", "dev")
    assert application["spec"]["source"]["helm"]["valueFiles"] == ["values.yaml", "e/dev.yaml"]


def test_who_migrates_is_read_in_the_charts_where_the_values_lie_there() -> None:
    by_hand = "sync: auto, database_changes: manual"
    inside = located(TEXTS["in the chart"].replace("sync: auto", by_hand))
    spec = generating.application_set(inside, "dev")["spec"]
    assert "templatePatch" in spec
    assert spec["generators"][0]["git"]["files"][0] == {"path": "services/*/helm/e/dev.yaml"}
    outside = located(foreign.POLICY.replace("sync: auto", by_hand))
    spec = generating.application_set(outside, "dev")["spec"]
    assert "templatePatch" not in spec
    assert "automated" not in spec["template"]["spec"]["syncPolicy"]
    application = generating.application(outside, "auth", "dev", migrates=False)
    assert "automated" not in application["spec"]["syncPolicy"]
