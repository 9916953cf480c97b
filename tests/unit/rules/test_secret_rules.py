from __future__ import annotations

import functools
from typing import Any

import pytest
from tests.support.releases import ciphertext, hits, manifest, pod, project, release, sealed

from hanbae.rules import documented, views
from hanbae.rules.secrets import certificates, clear, covering, pods, sealing, secret_readers

FROM = [{"secretRef": {"name": "auth-secrets"}}]


def variable(key: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "X",
        "valueFrom": {"secretKeyRef": {"name": "auth-secrets", "key": key, **more}},
    }


def test_the_words_of_commands_go_with_their_service() -> None:
    words = ["goose", "-dir", "/migrations", "up", "--password=hunter2-Xk93jq"]
    first = release([pod("Job", command=words)])
    assert hits(clear.credential_in_clear, first)
    (migration,) = documented._of(first).migrations
    assert migration.command[:-1] == tuple(words[:-1])
    assert "hunter2" not in migration.command[-1]
    for module in (clear, documented):
        caches = [value for value in vars(module).values() if hasattr(value, "cache_info")]
        assert not any(cache.cache_info().currsize for cache in caches)
    for by_word in (clear._by_word, documented._by_word):
        of_service = first.service.once(by_word)
        assert isinstance(of_service, functools._lru_cache_wrapper)
        assert of_service.cache_info().currsize == len(words)


def test_every_way_to_read_a_secret_is_seen() -> None:
    volumes = [
        {"name": "a", "secret": {"secretName": "files"}},
        {"name": "b", "secret": {"secretName": "items", "items": [{"key": "k", "path": "p"}]}},
        {"name": "c", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
    ]
    spec: dict[str, Any] = {"volumes": volumes, "imagePullSecrets": [{"name": "pull"}]}
    cron = manifest(
        "CronJob", spec={"jobTemplate": pod("Job", env=[variable("K")], envFrom=FROM, **spec)}
    )
    ingress = manifest("Ingress", spec={"tls": [{"secretName": "tls"}]})
    reads = list(secret_readers.reads(release([cron, ingress])))
    assert [(read.secret[1], read.key, read.way) for read in reads] == [
        ("auth-secrets", "K", "variable"),
        ("auth-secrets", None, "variables"),
        ("files", None, "volume"),
        ("items", "k", "volume"),
        ("projected", None, "volume"),
        ("pull", None, "pull"),
        ("tls", None, "tls"),
    ]
    assert all(read.place.object.get(*read.place.pointer) for read in reads)


def test_the_services_own_secret_is_missing_where_nothing_is_sealed() -> None:
    view = release([pod(envFrom=FROM), pod("Job", "migrate", env=[variable("URL")])])
    assert hits(covering.secret_not_made, view) == [
        ("", "auth-secrets", "Deployment/auth-service, Job/migrate", "URL")
    ]


@pytest.mark.parametrize(
    ("makers", "variants"),
    [
        ([], ["other"]),
        ([sealed("other", A=True)], []),
        ([manifest("ExternalSecret", "x", spec={"target": {"name": "other"}})], []),
        ([manifest("Certificate", "x", spec={"secretName": "other"})], []),
    ],
)
def test_a_secret_of_another_name_may_be_made_by_something_else(
    makers: list[Any], variants: list[str]
) -> None:
    view = release([pod(envFrom=[{"secretRef": {"name": "other"}}]), *makers])
    assert [variant for variant, *_ in hits(covering.secret_not_made, view)] == variants


@pytest.mark.parametrize(
    ("rules", "variants"),
    [
        ([{"resources": ["secrets"], "verbs": ["get", "create"]}], []),
        ([{"resources": ["*"], "verbs": ["*"]}], []),
        ([{"resources": ["secrets"], "verbs": ["get", "list"]}], ["other"]),
        ([{"resources": ["configmaps"], "verbs": ["create"]}], ["other"]),
        (
            [
                {"resources": ["secrets"], "verbs": ["get"]},
                {"resources": ["configmaps"], "verbs": ["create"]},
            ],
            ["other"],
        ),
        ("secrets: create", ["other"]),
    ],
)
def test_a_program_that_may_make_secrets_may_make_one_that_is_missing(
    rules: Any, variants: list[str]
) -> None:
    role = manifest("Role", "controller", rules=rules)
    view = release([pod(envFrom=[{"secretRef": {"name": "other"}}]), role])
    assert [variant for variant, *_ in hits(covering.secret_not_made, view)] == variants
    # The service's own Secret is its own affair.
    assert hits(covering.secret_not_made, release([pod(envFrom=FROM), role])) != []


@pytest.mark.parametrize(("name", "variants"), [("shop-app", []), ("shop-reader", ["other"])])
def test_a_secret_that_an_operator_makes_up_is_known(name: str, variants: list[str]) -> None:
    cluster = manifest("Cluster", "shop") | {"apiVersion": "postgresql.cnpg.io/v1"}
    view = release([pod(envFrom=[{"secretRef": {"name": name}}]), cluster])
    assert [variant for variant, *_ in hits(covering.secret_not_made, view)] == variants


def test_a_secret_of_the_overlays_is_known() -> None:
    text = (
        "kind: ConfigMap\nmetadata:\n  name: x\n---\nkind: SealedSecret\nmetadata:\n  name: other\n"
    )
    objects = [pod(envFrom=[{"secretRef": {"name": "other"}}])]
    with_secret = project({"k8s/base/secrets.yaml": text})
    assert hits(covering.secret_not_made, release(objects, of=with_secret)) == []
    unknown = project({"k8s/base/secrets.yaml": text.replace("SealedSecret", "Service")})
    assert hits(covering.secret_not_made, release(objects, of=unknown)) != []


def test_pull_secrets_and_optional_ones_may_be_missing() -> None:
    optional = [{"secretRef": {"name": "auth-secrets", "optional": True}}]
    view = release([pod(envFrom=optional, imagePullSecrets=[{"name": "registry"}])])
    assert hits(covering.secret_not_made, view) == []


def test_what_is_not_begun_is_not_found_fault_with() -> None:
    scaffold = {"image": {"repository": "x", "tag": "", "digest": ""}}
    view = release([pod(envFrom=FROM, env=[variable("K")])], scaffold)
    assert hits(covering.secret_not_made, view) == hits(covering.key_not_sealed, view) == []


def test_keys_are_looked_for_in_what_is_sealed_and_in_its_template() -> None:
    secret = sealed(A=True)
    secret["spec"]["template"] = {"data": {"B": "{{ .A }}"}}
    env = [variable("A"), variable("B"), variable("C"), variable("D", optional=True)]
    view = release([pod(env=env), secret])
    assert hits(covering.key_not_sealed, view) == [
        ("", "C", "auth-secrets", "Deployment/auth-service")
    ]


def test_a_missing_key_is_told_where_its_values_are_sealed() -> None:
    objects = [pod(env=[variable("C")]), sealed(A=True)]
    (hit,) = covering.key_not_sealed(release(objects))
    assert isinstance(hit.place, views.On), "the template has the values, so the reader is shown"
    values = {"sealedSecret": {"encryptedData": {"A": ciphertext("A")}}}
    (hit,) = covering.key_not_sealed(release(objects, values))
    assert not isinstance(hit.place, views.On)


def test_the_key_of_a_database_is_read_even_where_no_job_names_it() -> None:
    values = {"migration": {"enabled": True, "databases": [{"name": "a_db", "urlKey": "URL"}]}}
    view = release([pod(envFrom=FROM), sealed(A=True)], values)
    assert hits(covering.key_not_sealed, view) == [("database", "URL", "auth-secrets", "a_db")]


def test_unread_keys_and_secrets_are_told_unless_something_else_names_them() -> None:
    view = release([pod(env=[variable("A")]), sealed(A=True, B=True), sealed("idle", C=True)])
    assert hits(covering.key_not_read, view) == [
        ("", "B", "auth-secrets"),
        ("secret", "idle"),
    ]
    named = manifest(
        "Gateway", spec={"listeners": [{"tls": {"certificateRefs": [{"name": "idle"}]}}]}
    )
    assert hits(covering.key_not_read, release([named, sealed("idle", C=True)])) == []


def test_a_pull_secret_needs_a_registrys_type() -> None:
    objects = [pod(imagePullSecrets=[{"name": "auth-secrets"}]), sealed(A=True)]
    view = release(objects)
    assert hits(covering.type_and_keys, view) == [("pull", "auth-secrets", "Opaque")]
    objects[1]["spec"]["template"] = {"type": "kubernetes.io/dockerconfigjson"}
    assert hits(covering.type_and_keys, view)[0][-1] == ".dockerconfigjson"


WIDE = "sealedsecrets.bitnami.com/namespace-wide"


@pytest.mark.parametrize(
    ("scope", "own", "template", "variants"),
    [
        ("strict", {}, {}, []),
        ("strict", {WIDE: "true"}, {}, [""]),
        ("strict", {WIDE: "yes"}, {}, []),
        ("namespace-wide", {}, {}, [""]),
        ("namespace-wide", {WIDE: "true"}, {}, []),
        ("namespace-wide", {WIDE: True}, {}, ["value"]),
        ("namespace-wide", {}, {WIDE: "true"}, ["template"]),
        ("cluster-wide", {WIDE: "true"}, {}, [""]),
    ],
)
def test_the_scope_is_what_the_sealed_secret_itself_says(
    scope: str, own: dict[str, Any], template: dict[str, Any], variants: list[str]
) -> None:
    secret = sealed(A=True)
    secret["metadata"]["annotations"] |= own
    secret["spec"]["template"] = {"metadata": {"annotations": template}}
    view = release([secret], of=project(policy=f"secrets: {{scope: {scope}}}\n"))
    assert [variant for variant, *_ in hits(sealing.scope, view)] == variants


def test_name_and_namespace_are_those_that_the_values_are_sealed_for() -> None:
    values = {"sealedSecret": {"encryptedData": {"A": ciphertext("A")}}}
    other = sealed("auth-keys", A=True)
    other["metadata"]["namespace"] = "elsewhere"
    other["spec"]["template"] = {"metadata": {"name": "auth-keys", "namespace": ["odd"]}}
    variants = [hit.variant for hit in sealing.name_and_namespace(release([other], values))]
    assert variants == ["namespace", "name", "template"]
    wide = project(policy="secrets: {scope: namespace-wide}\n")
    del other["metadata"]["namespace"], other["spec"]["template"]
    assert hits(sealing.name_and_namespace, release([other], values, of=wide)) == []
    # A Secret whose values come from elsewhere may have any name.
    assert hits(sealing.name_and_namespace, release([sealed("more", B=True)], values)) == []


@pytest.mark.parametrize(
    ("value", "variant"),
    [
        (True, None),
        (ciphertext("a", bits=2048), None),
        ("not base64!", "base64"),
        (7, "base64"),
        (None, "base64"),
        ("A" * 400, "block"),
        (ciphertext("a", cut=1), "short"),
    ],
)
def test_a_sealed_value_has_its_form(value: Any, variant: str | None) -> None:
    variants = [variant for variant, *_ in hits(sealing.malformed, release([sealed(A=value)]))]
    assert variants == ([variant] if variant else [])


def test_a_copy_in_another_environment_is_found_where_it_is() -> None:
    dev = release([sealed(A=True)])
    release([sealed(A=True)], environment="production", service=dev.service)
    assert hits(sealing.copied, dev.service) == [("", "A", "A", "production", "dev")]


def test_copies_in_one_environment_are_told_apart() -> None:
    same = release([sealed(A=ciphertext("x"), B=ciphertext("x"))])
    assert [hit.severity for hit in sealing.copied(same.service)] == ["warning"]
    other = release([sealed(A=ciphertext("x")), sealed("more", A=ciphertext("x"))])
    assert [variant for variant, *_ in hits(sealing.copied, other.service)] == ["secrets"]


def test_a_cluster_wide_value_may_be_in_two_environments_of_one_certificate() -> None:
    wide = project(policy="secrets: {scope: cluster-wide}\n")
    pins = {"sealedSecret": {"certificate": "sha256:" + "a" * 64}}
    dev = release([sealed(A=True)], pins, of=wide)
    release([sealed(A=True)], pins, environment="production", service=dev.service)
    assert hits(sealing.copied, dev.service) == []


def test_one_secret_made_twice_is_found_whatever_makes_it() -> None:
    view = release([manifest("Secret", "auth-secrets"), sealed(A=True)])
    assert hits(sealing.made_twice, view) == [("", "auth-secrets", "SealedSecret", "Secret")]
    elsewhere = manifest("Secret", "auth-secrets", metadata={"namespace": "x"})
    assert hits(sealing.made_twice, release([elsewhere, sealed(A=True)])) == []


def test_a_twin_in_values_or_in_a_config_map_is_found_and_empty_ones_are_not() -> None:
    config = manifest("ConfigMap", "c", data={"A": "x", "B": "", "OTHER": "y"})
    values = {
        "sealedSecret": {"encryptedData": {"A": "…"}},
        "config": {"deep": {"C": "x", "B": ""}},
    }
    view = release([sealed(A=True, B=True, C=True), config], values)
    assert hits(clear.twin, view) == [("values", "C"), ("", "A", "ConfigMap/c")]


def test_only_credentials_without_an_action_are_in_clear_in_a_template() -> None:
    secret = sealed(A=True)
    data = {"db-password": "hunter2", "config": "a: {{ .A }}", "style": "plain", "PIN_TOKEN": 7}
    secret["spec"]["template"] = {"data": data}
    view = release([secret])
    assert hits(clear.template_in_clear, view) == [("", "SealedSecret/auth-secrets", "db-password")]


def test_what_stands_in_the_values_is_told_there() -> None:
    env = [{"name": "SMTP_PASSWORD", "value": "hunter2"}]
    assert hits(clear.credential_in_clear, release([pod(env=env)], {"env": {"OTHER": "hunter2"}}))
    values = {"env": {"SMTP_PASSWORD": "hunter2"}}
    assert hits(clear.credential_in_clear, release([pod(env=env)], values)) == []
    url = "redis://:hunter2@cache"
    files = {"services/auth/helm/templates/x.yaml": f"value: {url}\n"}
    view = release([pod(env=[{"name": "URL", "value": url}])], of=project(files))
    assert hits(clear.credential_in_clear, view) == []


@pytest.mark.parametrize(
    ("name", "value", "variant"),
    [
        ("SMTP_PASSWORD", "hunter2", ""),
        ("API_KEY", "abc-def", ""),
        ("session_secret", "abc-def", ""),
        ("URL", "postgresql://shop:hunter2@db/x", "url"),
        ("URL", "redis://:hunter2@cache", "url"),
        ("URL", "postgresql://shop:$(PASSWORD)@db/x", None),
        ("URL", "https://example.com/a:b@c", None),
        ("SMTP_PASSWORD", "$(OTHER)", None),
        ("SMTP_PASSWORD", "/run/smtp", None),
        ("TOKEN", "3600", None),
        ("ID_TOKEN", "15m", None),
        ("API_KEY", "true", None),
        ("TOKEN_TTL", "abc", None),
        ("SECRET_NAME", "auth-secrets", None),
        ("MONKEY", "abc", None),
        ("ETCD_AUTH_TOKEN", "jwt,priv-key=/certs/token/a.pem,sign-method=RS256,ttl=10m", None),
        ("ETCD_AUTH_TOKEN", "AccountKey=/Ab3/9f3k2x", ""),
        ("ETCD_INITIAL_CLUSTER_TOKEN", "etcd-cluster-k8s", None),
        ("CLUSTER_TOKEN", "etcd-cluster-k8s", ""),
    ],
)
def test_credentials_in_variables(name: str, value: str, variant: str | None) -> None:
    view = release([pod(env=[{"name": name, "value": value}])])
    credentials = hits(clear.credential_in_clear, view)
    assert [found_variant for found_variant, *_ in credentials] == (
        [] if variant is None else [variant]
    )
    assert "hunter2" not in repr(credentials)


@pytest.mark.parametrize(
    ("word", "tells"),
    [
        ("postgresql://shop:hunter2@db/x", True),
        ("--db-password=hunter2", True),
        ("-token=abc", True),
        ("--password=$(PASSWORD)", False),
        ("--token-ttl=5m", False),
        ("--url=https://example.com", False),
    ],
)
def test_credentials_in_arguments(word: str, tells: bool) -> None:
    credentials = hits(clear.credential_in_clear, release([pod(args=["serve", word])]))
    assert credentials == ([("argument", "Deployment/auth-service", "args")] if tells else [])


def test_a_certificate_is_remembered_in_its_form() -> None:
    def variants_of_pin(pin: str) -> list[str]:
        values = {"sealedSecret": {"encryptedData": {"A": "x"}, "certificate": pin}}
        return [variant for variant, *_ in hits(certificates.not_pinned, release([], values))]

    assert variants_of_pin("") == [""]
    assert variants_of_pin("sha256:ABC") == ["form"]
    assert variants_of_pin("sha256:" + "a" * 64) == []
    assert hits(certificates.not_pinned, release()) == []


@pytest.mark.parametrize(
    ("dev", "production", "pins", "variants"),
    [
        (", control: a", ", control: b", "aa", [""]),
        (", control: a", ", control: b", "ab", []),
        (", control: a", ", control: a", "ab", ["renewed"]),
        (", control: a", ", control: a", "aa", []),
        (", control: a, workload: w", ", control: b, workload: w", "aa", []),
        ("", "", "aa", []),
        ("", "", "ab", []),
        (", control: a", "", "aa", []),
    ],
)
def test_certificates_belong_to_clusters(
    dev: str, production: str, pins: str, variants: list[str]
) -> None:
    def values(letter: str) -> dict[str, Any]:
        return {"sealedSecret": {"certificate": f"sha256:{letter * 64}"}}

    release_in_dev = release([], values(pins[0]), of=project(dev=dev, production=production))
    release([], values(pins[1]), environment="production", service=release_in_dev.service)
    assert [
        variant for variant, *_ in hits(certificates.shared, release_in_dev.service)
    ] == variants


@pytest.mark.parametrize(
    ("path", "environment"),
    [
        ("certs/production.pem", "production"),
        ("certs/production-eu.pem", "production-eu"),
        ("certs/Sealed_production_eu.crt", "production-eu"),
        ("production-eu/cert.pem", "production-eu"),
        ("certs/dev-production-eu.pem", None),
        ("certs/production/production-eu.pem", None),
        ("certs/productioneu.pem", None),
    ],
)
def test_certificate_is_of_the_environment_with_the_longest_name(
    path: str, environment: str | None
) -> None:
    other = "}\n  production-eu: {branch: next, values: values-eu.yaml, namespace_suffix: -eu"
    view = project({path: "x"}, production=other)
    assert list(certificates._certificates(view)) == ([(path, environment)] if environment else [])


def test_files_that_are_no_certificates_are_left_alone() -> None:
    files = {"certs/dev.pem": "no certificate", "certs/dev-production.pem": "x", "certs/x.pem": "x"}
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    view = project({**files, "sealed/production.crt": broken})
    assert hits(certificates.files, view) == []


@pytest.mark.parametrize(
    ("kind", "template", "own", "count"),
    [
        ("Deployment", {}, {}, 1),
        ("Deployment", {"checksum/secret": "x"}, {}, 0),
        ("Deployment", {"example.com/sealed-hash": "x"}, {}, 0),
        ("Deployment", {}, {"reloader.stakater.com/auto": "true"}, 0),
        ("StatefulSet", {"other": "x"}, {}, 1),
        ("Job", {}, {}, 0),
    ],
)
def test_pods_restart_with_their_secret(
    kind: str, template: dict[str, str], own: dict[str, str], count: int
) -> None:
    workload = pod(kind, envFrom=FROM)
    workload["spec"]["template"]["metadata"] = {"annotations": template}
    workload["metadata"]["annotations"] = own
    assert len(hits(pods.no_restart, release([workload, sealed(A=True)]))) == count


@pytest.mark.parametrize(
    ("spec", "account", "binding", "count"),
    [
        ({}, {}, False, 1),
        ({"automountServiceAccountToken": False}, {}, False, 0),
        ({}, {"automountServiceAccountToken": False}, False, 0),
        ({"automountServiceAccountToken": True}, {"automountServiceAccountToken": False}, False, 1),
        ({}, {}, True, 0),
    ],
)
def test_pods_have_no_token_that_they_do_not_need(
    spec: dict[str, Any], account: dict[str, Any], binding: bool, count: int
) -> None:
    objects = [
        pod(serviceAccountName="auth", **spec),
        manifest("ServiceAccount", "auth", **account),
        manifest("RoleBinding", subjects=[{"kind": "ServiceAccount", "name": "auth"}] * binding),
    ]
    assert len(hits(pods.token, release(objects))) == count
