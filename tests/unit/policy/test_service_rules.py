"""What ``services`` may say, and at which key it is refused."""

from __future__ import annotations

import pytest

from hanbae import errors
from hanbae.policy import documents, loading, naming

SMALL = """\
version: 1
argocd: {repository: "https://git.example.com/r.git"}
environments:
  dev: {branch: develop, namespace_suffix: -dev}
  prod: {branch: main, namespace_suffix: -prod}
services:
"""


def read(section: str) -> documents.Policy:
    return loading.parse(f"{SMALL}  {section}\n".encode(), "hanbae.yaml")[0]


REFUSED = [
    ("path: []", "policy.no-path", "services.path"),
    ("path: [services/*/helm, 'charts/*', 'charts/*']", "policy.path-twice", "services.path[2]"),
    ("path: [services/*/helm, charts]", "policy.path-needs-one-star", "services.path[1]"),
    ("path: ['*/*']", "policy.path-needs-one-star", "services.path[0]"),
    ("path: ['../*']", "policy.not-a-path", "services.path[0]"),
    ("path: ['.git/*']", "policy.not-a-path", "services.path[0]"),
    ("path: 'a*/helm'", "policy.path-needs-one-star", "services.path"),
    ("path: ['a/*/{env}']", "policy.unknown-placeholder", "services.path[0]"),
    ("exclude: [../x]", "policy.not-a-path", "services.exclude[0]"),
    ("release: app", "policy.template-lacks-service", "services.release"),
    ("release: '{service}-{release}'", "policy.not-a-template", "services.release"),
    ("secret: '{Service}-{service}'", "policy.not-a-template", "services.secret"),
    ("application: '{environment}'", "policy.template-lacks-service", "services.application"),
    ("application: '{service}'", "policy.template-lacks-environment", "services.application"),
    ("application: '{service}..{environment}'", "policy.not-a-template", "services.application"),
    ("release: '{service}.'", "policy.not-a-template", "services.release"),
    ("secret: '{release}.-x'", "policy.not-a-template", "services.secret"),
    ("namespace: 'a.{service}'", "policy.not-a-name", "services.namespace"),
    ("namespace: '{release}'", "policy.not-a-name", "services.namespace"),
    ("namespace: Services", "policy.not-a-name", "services.namespace"),
    ("values: [a.yaml, '{env}.yaml']", "policy.unknown-placeholder", "services.values[1]"),
    ("values: ['../../../../x.yaml']", "policy.not-a-values-file", "services.values[0]"),
    ("values: ['envs/../../x.yaml']", "policy.not-a-values-file", "services.values[0]"),
    ("values: ['/etc/../../x.yaml']", "policy.not-a-values-file", "services.values[0]"),
    ("values: ['.git/config']", "policy.not-a-values-file", "services.values[0]"),
    ("values: ['']", "policy.not-a-values-file", "services.values[0]"),
    ("values: ['https://example.com/x.yaml']", "policy.not-a-values-file", "services.values[0]"),
    ("migrations: db", "policy.template-lacks-service", "services.migrations"),
    ("migrations: '../{service}'", "policy.not-a-path", "services.migrations"),
    ("named: {a: {path: ../x}}", "policy.not-a-path", "services.named.a.path"),
    ("named: {a: {path: .git}}", "policy.not-a-path", "services.named.a.path"),
    (
        "named: {a: {path: x, values: [../../y]}}",
        "policy.not-a-values-file",
        "services.named.a.values[0]",
    ),
    ("named: {a: {release: '{x}'}}", "policy.not-a-template", "services.named.a.release"),
    (
        "named: {a: {application: a}}",
        "policy.template-lacks-environment",
        "services.named.a.application",
    ),
    ("named: {A: {}}", "policy.not-a-name", "services.named"),
    (
        "named: {a: {databases: {'{env}-migrate': x}}}",
        "policy.unknown-placeholder",
        "services.named.a.databases",
    ),
    (
        "named: {a: {databases: {KEY: 'a b'}}}",
        "policy.not-a-database",
        "services.named.a.databases.KEY",
    ),
    ("named: {a: {chart: x}}", "policy.unknown-key", "services.named.a"),
    ("named: {a: {pth: x}}", "policy.unknown-key-near", "services.named.a"),
    ("exlude: [a]", "policy.unknown-key-near", "services"),
]


@pytest.mark.parametrize(("section", "text_id", "key"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_is_refused_at_its_line(section: str, text_id: str, key: str) -> None:
    with pytest.raises(errors.FileFault) as caught:
        read(section)
    facts = caught.value.text.facts
    assert (caught.value.text.id, facts.get("inside", facts["key"])) == (text_id, key)
    assert caught.value.place is not None
    assert caught.value.place.line == 7


@pytest.mark.parametrize(
    "section",
    [
        "path: ['*']",
        "path: ['apps/*/overlays/{environment}']",
        "path: ['charts/*', '*/helm']",
        "namespace: '{service}'",
        "namespace: 'team-{environment}'",
        "secret: '{release}-secret'",
        "release: '{environment}-{service}'",
        "release: '{service}.{environment}'",
        "application: '{environment}.{service}'",
        "secret: '{release}.keys.v1'",
        "values: ['values.yaml', './env/{environment}.yaml', '/values/{release}.yaml', '../common.yaml']",
        "values: []",
        "named: {auth: {values: []}}",
        "named: {auth: {path: .}}",
        "named: {auth: {path: ., databases: {'{release}-migrate': auth, DATABASE_URL: auth_db}}}",
        "named: {auth: {path: helm, release: auth, secret: auth, application: 'a-{environment}'}}",
    ],
)
def test_what_others_do_is_taken(section: str) -> None:
    assert read(section).services != documents.Services()


def test_names_come_from_the_templates_and_a_service_by_name_has_its_own() -> None:
    policy = read(
        "{release: '{environment}-{service}', application: '{environment}.{service}'".replace(
            ".", "-"
        )
        + ", secret: '{release}-secret', namespace: 'team-{environment}',"
        " named: {pay: {release: billing, secret: '{service}-keys', namespace: money}}}"
    )
    assert naming.release(policy, "auth", "dev") == "dev-auth"
    assert naming.application(policy, "auth", "dev") == "dev-auth"
    assert naming.secret(policy, "auth", "prod") == "prod-auth-secret"
    assert naming.namespace(policy, "auth", "dev") == "team-dev-dev"
    assert naming.release(policy, "pay", "dev") == "billing"
    assert naming.secret(policy, "pay", "dev") == "pay-keys"
    assert naming.namespace(policy, "pay", "dev") == "money-dev"
    assert naming.namespaces_of_services(policy, "dev") == ("team-dev-dev", "money-dev")
    assert naming.lease("auth", "dev") == "hanbae-auth-dev"


def test_environments_of_one_branch_and_cluster_are_kept_apart_by_their_namespaces() -> None:
    trunk = SMALL.replace(", namespace_suffix: -dev", "").replace(", namespace_suffix: -prod", "")
    with pytest.raises(errors.FileFault, match="same-namespaces"):
        loading.parse(trunk.replace("services:\n", "").encode(), "hanbae.yaml")
    text = trunk.replace("main", "develop") + "  namespace: '{service}-{environment}'\n"
    policy, _ = loading.parse(text.encode(), "hanbae.yaml")
    assert naming.namespace(policy, "auth", "prod") == "auth-prod"


VALUES = [
    ("values.yaml", "services/auth/helm/values.yaml", "values.yaml"),
    ("./env/dev.yaml", "services/auth/helm/env/dev.yaml", "env/dev.yaml"),
    ("../dev.yaml", "services/auth/dev.yaml", ""),
    ("env/{environment}/{service}.yaml", "env/dev/auth.yaml", ""),
    ("/env/{release}.yaml", "env/auth-service.yaml", ""),
    ("services/auth/helm/x.yaml", "services/auth/helm/x.yaml", "x.yaml"),
]


@pytest.mark.parametrize(("entry", "path", "inside"), VALUES)
def test_where_a_values_file_lies(entry: str, path: str, inside: str) -> None:
    policy = read(f"values: ['{entry}']")
    (file,) = naming.values_sources(policy, "auth", "dev")
    assert (file.path, file.inside) == (path, inside)


def test_a_list_of_an_environment_replaces_that_of_the_services() -> None:
    text = SMALL.replace("branch: main", "branch: main, values: [a.yaml, 'e/{environment}.yaml']")
    policy, _ = loading.parse(f"{text}  values: [b.yaml]\n".encode(), "hanbae.yaml")
    files = {
        name: [str(path) for path in naming.values_files(policy, "x", name)]
        for name in ("dev", "prod")
    }
    assert files == {
        "dev": ["services/x/helm/b.yaml"],
        "prod": ["services/x/helm/a.yaml", "e/prod.yaml"],
    }


def test_a_service_without_values_files_has_the_chart_s_own() -> None:
    every = read("{values: []}")
    named = read("{named: {auth: {values: []}}}")
    default = read("{}")
    for policy in (every, named):
        assert naming.values_files(policy, "auth", "dev") == ()
        assert str(naming.values_file(policy, "auth", "dev")) == "services/auth/helm/values.yaml"
        assert naming.values_name(policy, "auth", "dev") == "values.yaml"
    for policy in (named, default):
        assert naming.values_name(policy, "cart", "dev") == "values-dev.yaml"


def test_what_is_set_is_written_to_the_file_of_the_environment() -> None:
    policy = read("values: [a.yaml, 'e/{environment}.yaml', z.yaml]")
    assert str(naming.values_file(policy, "x", "dev")) == "e/dev.yaml"
