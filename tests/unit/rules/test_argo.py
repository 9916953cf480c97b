"""The variants of the Argo CD rules that their examples do not show, and shapes that no chart should have."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from tests.support import trees

import hanbae
from hanbae import subjects
from hanbae.policy import loading
from hanbae.rules import rulebook, views

_CATALOGUE = Path(hanbae.__file__).parent / "locale" / "en" / "LC_MESSAGES" / "hanbae.po"
ENGLISH = {
    str(message.id): str(message.string)
    for message in read_po(io.BytesIO(_CATALOGUE.read_bytes()), locale="en")
}
RULES = {code: rule for code, rule in rulebook.rules().items() if code.startswith("ARG")}
HOOK, HELM = "argocd.argoproj.io/hook", "helm.sh/hook"
WAVE, OPTIONS = "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/sync-options"
DELETE = "argocd.argoproj.io/hook-delete-policy"
POLICY = b"""\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
migrations: {phase: PHASE}
environments:
  dev: {branch: develop, sync: SYNC, engine: ENGINE, namespace_suffix: -dev}
  staging: {branch: release, sync: manual, namespace_suffix: -staging}
"""


def project(
    files: dict[str, str] | None = None,
    *,
    engine: str = "argocd",
    phase: str = "Sync",
    sync: str = "auto",
) -> views.Project:
    text = POLICY.decode().replace("ENGINE", engine).replace("PHASE", phase).replace("SYNC", sync)
    policy, places = loading.parse(text.encode(), "hanbae.yaml")
    contents = {".gitignore": b"services/*/helm/values.yaml\n"}
    contents |= {name: content.encode() for name, content in (files or {}).items()}
    tree = trees.MemoryTree(contents)
    return views.Project(policy, places, tree, ("auth", "cart"))


def release(*objects: dict[str, Any], of: views.Project | None = None) -> views.Release:
    """Objects as if a chart had made them."""
    service = views.Service(of or project(), "auth")
    placed = tuple(
        views.Object(manifest, "services/auth/helm/templates/x.yaml", index, _namespace(manifest))
        for index, manifest in enumerate(objects)
    )
    service.releases["dev"] = views.Release(service, "dev", {}, placed)
    return service.releases["dev"]


def _namespace(manifest: dict[str, Any]) -> str:
    metadata = manifest.get("metadata")
    own = metadata.get("namespace") if isinstance(metadata, dict) else None
    return str(own or "services-dev")


def manifest(
    kind: str, name: str = "x", /, *, spec: Any = None, **annotations: Any
) -> dict[str, Any]:
    result: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    if annotations:
        result["metadata"]["annotations"] = annotations
    if spec is not None:
        result["spec"] = spec
    return result


def job(name: str = "migrate", pod: Any = None, /, *, spec: Any = None, **annotations: Any) -> Any:
    sound = {"ttlSecondsAfterFinished": 300, "backoffLimit": 3, "activeDeadlineSeconds": 600}
    template = {"template": {"spec": {"restartPolicy": "Never", **(pod or {})}}}
    return manifest("Job", name, spec={**sound, **template, **(spec or {})}, **annotations)


def reading(kind: str, name: str = "web", /, **annotations: Any) -> Any:
    container = {"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}
    return manifest(
        kind, name, spec={"template": {"spec": {"containers": [container]}}}, **annotations
    )


def worded(rule: rulebook.Rule, hit: rulebook.Hit) -> str:
    """Variant and severity of a hit, whose sentences are there and get the facts that they tell."""
    for part in (f"found-{hit.variant}" if hit.variant else "found", "fix"):
        sentence = ENGLISH[f"rule.{rule.code.lower()}-{part}"]
        assert set(re.findall(r"\{(\w+)\}", sentence)) <= hit.facts.keys()
    return f"{hit.variant}:{hit.severity or rule.severity}"


def variants(code: str, *objects: dict[str, Any], of: views.Project | None = None) -> list[str]:
    """What a rule finds, as variant and severity."""
    return [worded(RULES[code], hit) for hit in RULES[code].check(release(*objects, of=of))]


def pointers(code: str, *objects: dict[str, Any]) -> list[tuple[str, views.Pointer]]:
    hits = RULES[code].check(release(*objects))
    return [
        (hit.place.object.label, hit.place.pointer)
        for hit in hits
        if isinstance(hit.place, views.On)
    ]


def annotation(key: str) -> views.Pointer:
    return ("metadata", "annotations", key)


# Spelling


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("argocd.argoproj.io/hooks", "argocd.argoproj.io/hook"),
        ("argoproj.io/hook", "argocd.argoproj.io/hook"),
        ("argocd.argoproj.oi/sync-wave", "argocd.argoproj.io/sync-wave"),
        ("argocd.argoproj.io/sync-option", "argocd.argoproj.io/sync-options"),
        ("argocd.argoproj.io/syncwave", "argocd.argoproj.io/sync-wave"),
        ("argocd.argoproj.io/compare-option", "argocd.argoproj.io/compare-options"),
        ("argocd.argoproj.io/hook-deletion-policy", "argocd.argoproj.io/hook-delete-policy"),
        ("argocd.argoproj.io/Hook", "argocd.argoproj.io/hook"),
        ("helm.sh/hook-weigth", "helm.sh/hook-weight"),
        ("helm.sh/sync-wave", "argocd.argoproj.io/sync-wave"),
        ("helm/hook", "helm.sh/hook"),
    ],
)
def test_misspelt_keys_are_told_with_what_was_meant(key: str, meant: str) -> None:
    (hit,) = RULES["ARG002"].check(release(manifest("Job", **{key: "Sync"})))
    assert hit.facts["known"] == meant


@pytest.mark.parametrize(
    "key",
    [
        "argocd.argoproj.io/manifest-generate-paths",
        "argocd.argoproj.io/ignore-healthcheck",
        "argocd-image-updater.argoproj.io/image-list",
        "notifications.argoproj.io/subscribe.on-sync-succeeded.slack",
        "link.argocd.argoproj.io/external-link",
        "argocd.argoproj.io/something-newer",
        "helm.sh/chart",
        "example.com/hook",
        "hook",
    ],
)
def test_other_keys_are_nobodys_business(key: str) -> None:
    assert variants("ARG002", manifest("Job", **{key: "Sync"})) == []


@pytest.mark.parametrize(
    ("value", "hits"),
    [
        ("-5", []),
        ("+5", []),
        ("0", []),
        ("1_000", [":error"]),
        (" 5", [":error"]),
        ("5.0", [":error"]),
    ],
)
def test_waves_are_what_go_reads_as_integers(value: str, hits: list[str]) -> None:
    assert variants("ARG004", manifest("ConfigMap", **{WAVE: value})) == hits


def test_unknown_phases_leave_helms_hooks_or_other_phases() -> None:
    assert variants("ARG001", manifest("Job", **{HOOK: "Presync"})) == [":error"]
    assert variants("ARG001", manifest("Job", **{HOOK: "Presync,Sync"})) == ["part:error"]
    assert variants("ARG001", manifest("Job", **{HOOK: "Presync", HELM: "pre-install"})) == [
        "part:error"
    ]


@pytest.mark.parametrize(
    "value", ["Prune=flase", "prune=false", "Prune", "ApplyOutOfSyncOnly=true"]
)
def test_options_are_compared_letter_by_letter(value: str) -> None:
    assert variants("ARG006", manifest("ConfigMap", **{OPTIONS: f"Delete=false, {value}"})) == [
        ":error"
    ]


def test_delete_policies_are_spelt_for_each_annotation_and_belong_to_hooks() -> None:
    assert variants("ARG005", job(**{HOOK: "Sync", DELETE: "HookSucceeded"})) == []
    assert variants("ARG005", job(**{HELM: "test", f"{HELM}-delete-policy": "HookFailed"})) == [
        ":error"
    ]
    assert variants("ARG005", job(**{DELETE: "HookFailed"})) == ["no-hook:warning"]


@pytest.mark.parametrize("value", [5, -5.0, True, None, ["Sync"], {"a": 1}])
def test_annotations_that_are_no_text_are_refused(value: Any) -> None:
    assert variants("ARG007", manifest("ConfigMap", **{WAVE: value})) == [":error"]


def test_hooks_in_labels_have_no_effect() -> None:
    labelled = manifest("Job")
    labelled["metadata"]["labels"] = {HOOK: "Sync", "helm.sh/chart": "auth-1"}
    assert pointers("ARG003", labelled) == [("Job/x", ("metadata", "labels", HOOK))]


# Hooks of Helm


@pytest.mark.parametrize(
    ("helm", "hits"),
    [
        ("test", [":notice"]),
        ("pre-rollback", [":warning"]),
        ("pre-upgrade,post-rollback", ["part:warning"]),
        ("pre-instal", ["unknown:error"]),
        ("pre-install,pre-upgrade", []),
        ("crd-install", []),
    ],
)
def test_helm_hooks_that_argo_cd_has_no_phase_for(helm: str, hits: list[str]) -> None:
    assert variants("ARG010", job(**{HELM: helm})) == hits


@pytest.mark.parametrize(
    ("own", "helm", "hits"),
    [
        ("Sync", "post-install,pre-upgrade", []),
        ("PreSync", "pre-install,pre-upgrade", []),
        ("PreSync", "post-install", [":warning"]),
        ("PostSync", "pre-upgrade", [":warning"]),
        ("Sync", "pre-upgrade,pre-delete", [":warning"]),
        ("Skip", "pre-upgrade", []),
    ],
)
def test_helm_hooks_for_another_time_than_argo_cds(own: str, helm: str, hits: list[str]) -> None:
    assert variants("ARG009", job(**{HOOK: own, HELM: helm})) == hits


# Order


def test_presync_hook_waits_for_the_sealed_secret_of_its_own_release() -> None:
    sealed = manifest("SealedSecret", "s", **{WAVE: "-10"})
    assert pointers("ARG012", sealed, reading("Job", **{HOOK: "PreSync"})) == [
        ("Job/web", annotation(HOOK))
    ]
    assert variants("ARG012", sealed, reading("Job", **{HELM: "pre-upgrade"})) == ["helm:error"]
    assert variants("ARG012", sealed, reading("Job", **{HOOK: "Sync", WAVE: "-5"})) == []


def test_presync_by_policy_is_a_warning_for_what_hanbae_applies_first() -> None:
    by_hand = project(phase="PreSync", sync="manual")
    hook = reading("Job", **{HOOK: "PreSync"})
    assert variants("ARG012", manifest("SealedSecret", "s"), hook, of=by_hand) == [
        "by-hand:warning"
    ]
    assert variants("ARG012", manifest("Secret", "s"), hook, of=by_hand) == [":error"]


def test_pull_secret_of_the_service_account_is_needed_too() -> None:
    account = {
        **manifest("ServiceAccount", "sa", **{WAVE: "-9"}),
        "imagePullSecrets": [{"name": "s"}],
    }
    sealed = manifest("SealedSecret", "s")
    hook = job("m", {"serviceAccountName": "sa"}, **{HOOK: "Sync", WAVE: "-5"})
    assert pointers("ARG012", account, sealed, hook) == [("SealedSecret/s", annotation(WAVE))]


@pytest.mark.parametrize(
    ("volume", "kind"),
    [
        ({"secret": {"secretName": "s"}}, "Secret"),
        ({"configMap": {"name": "s"}}, "ConfigMap"),
        ({"projected": {"sources": [{"configMap": {"name": "s"}}]}}, "ConfigMap"),
        ({"persistentVolumeClaim": {"claimName": "s"}}, "PersistentVolumeClaim"),
    ],
)
def test_volumes_are_needed(volume: dict[str, Any], kind: str) -> None:
    hook = job("m", {"volumes": [{"name": "v", **volume}]}, **{HOOK: "PreSync"})
    assert variants("ARG012", manifest(kind, "s"), hook) == [":error"]


def test_optional_secrets_are_not_waited_for() -> None:
    container = {"envFrom": [{"secretRef": {"name": "s", "optional": True}}]}
    hook = job("m", {"containers": [container]}, **{HOOK: "PreSync"})
    assert variants("ARG012", manifest("SealedSecret", "s"), hook) == []


def test_other_controllers_secrets_are_found_by_the_name_they_make() -> None:
    hook = reading("Job", **{HOOK: "PreSync"})
    external = manifest("ExternalSecret", "other", spec={"target": {"name": "s"}})
    certificate = manifest("Certificate", "other", spec={"secretName": "s"})
    assert variants("ARG012", external, hook) == [":error"]
    assert variants("ARG012", certificate, hook) == [":error"]


def test_workload_of_an_early_wave_waits_as_well() -> None:
    web = reading("Deployment", **{WAVE: "-3"})
    assert pointers("ARG012", manifest("SealedSecret", "s"), web) == [
        ("SealedSecret/s", annotation(WAVE))
    ]
    assert variants("ARG012", manifest("SealedSecret", "s"), web) == [":error"]
    assert variants("ARG013", manifest("SealedSecret", "s"), reading("Deployment")) == [":warning"]


def test_migration_has_to_come_before_the_pods() -> None:
    pods = manifest("Deployment", "web", spec={})
    assert variants("ARG015", pods, job("m-migrate", **{HOOK: "Sync", WAVE: "-1"})) == []
    assert variants("ARG015", pods, job("m-migrate", **{HOOK: "PreSync", WAVE: "3"})) == []
    assert pointers("ARG015", pods, job("m-migrate", **{HOOK: "PostSync"})) == [
        ("Job/m-migrate", annotation(HOOK))
    ]
    assert variants("ARG015", pods, job("smoke", **{HOOK: "PostSync"})) == []


def test_claim_hook_loses_data() -> None:
    assert variants("ARG014", manifest("PersistentVolumeClaim", **{HELM: "pre-install"})) == [
        "claim:error"
    ]


def test_things_that_never_become_healthy_hold_up_only_what_comes_later() -> None:
    paused = manifest("Deployment", spec={"paused": True})
    smoke = job("smoke", **{HOOK: "PostSync"})
    assert variants("ARG017", paused) == []
    assert variants("ARG017", paused, smoke) == ["paused:error"]
    assert variants("ARG017", manifest("Ingress"), smoke) == ["address:notice"]
    balancer = manifest("Service", spec={"type": "LoadBalancer"})
    assert variants("ARG017", balancer, smoke) == ["address:notice"]
    assert variants("ARG017", balancer, manifest("ConfigMap", **{WAVE: "1"})) == []


def test_only_what_is_the_releases_own_waits_for_it() -> None:
    elsewhere = reading("Deployment", **{WAVE: "-3"})
    elsewhere["metadata"]["namespace"] = "data"
    assert variants("ARG012", manifest("SealedSecret", "s"), elsewhere) == []


def test_what_hanbae_applies_first_helps_a_presync_hook_alone() -> None:
    by_hand = project(phase="PreSync", sync="manual")
    early, hook = reading("Deployment", **{WAVE: "-3"}), reading("Job", **{HOOK: "PreSync"})
    assert variants("ARG012", manifest("SealedSecret", "s"), early, of=by_hand) == [":error"]
    hooked = manifest("SealedSecret", "s", **{HOOK: "Sync"})
    assert variants("ARG012", hooked, hook, of=by_hand) == [":error"]


def test_what_is_opened_in_the_wave_of_its_readers_is_told_once() -> None:
    sealed, web, worker = manifest("SealedSecret", "s"), *map(reading, ("Deployment", "Job"), "wj")
    assert variants("ARG013", sealed, web, worker) == [":warning"]
    assert variants("ARG013", sealed, reading("Deployment", **{WAVE: "-3"})) == []
    mounts = job("m", {"volumes": [{"name": "v", "configMap": {"name": "s"}}]})
    assert variants("ARG013", manifest("ConfigMap", "s"), mounts) == []


def test_a_hook_that_pods_need_is_told_and_one_that_hooks_need_is_not() -> None:
    mounted = {"volumes": [{"name": "v", "configMap": {"name": "s"}}]}
    pods = manifest("Deployment", "web", spec={"template": {"spec": mounted}})
    hooked = manifest("ConfigMap", "s", **{HOOK: "PreSync"})
    gone = manifest("ConfigMap", "s", **{HOOK: "PreSync", DELETE: "HookSucceeded"})
    assert variants("ARG014", hooked, pods, reading("Deployment", "other")) == ["renewed:error"]
    assert variants("ARG014", gone, pods) == ["needed:error"]
    assert variants("ARG014", hooked, job("m", mounted, **{HOOK: "Sync"})) == []
    claimed = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]}
    claiming = manifest("Deployment", "web", spec={"template": {"spec": claimed}})
    claim = manifest("PersistentVolumeClaim", "s", **{HOOK: "PreSync"})
    assert variants("ARG014", claim, claiming) == ["claim:error"]
    assert variants("ARG014", manifest("SealedSecret", "s", **{HOOK: "PreSync"})) == [":error"]


def test_hooks_alone_are_told_where_the_environment_syncs_itself() -> None:
    hook, plain = job("m", **{HOOK: "Sync"}), manifest("ConfigMap")
    assert variants("ARG047", hook) == [":warning"]
    assert variants("ARG047", hook, plain) == []
    assert variants("ARG047", hook, of=project(sync="manual")) == []


def test_a_migration_in_the_wave_of_the_first_pods_is_too_late() -> None:
    pods, later = (
        manifest("Deployment", n, spec={}, **{WAVE: w}) for n, w in (("a", "0"), ("b", "4"))
    )
    labelled = job("x", **{HOOK: "Sync", WAVE: "0"})
    labelled["metadata"]["labels"] = {"app.kubernetes.io/component": "migration"}
    assert variants("ARG015", pods, later, labelled) == [":error"]
    assert variants("ARG015", pods, later, job("m-migrate", **{HOOK: "Sync", WAVE: "2"})) == [
        ":error"
    ]
    assert variants("ARG015", pods, job("m-migrate", **{WAVE: "2"})) == []


@pytest.mark.parametrize(("waves", "seconds"), [(8, []), (9, ["16"])])
def test_many_waves_are_told_with_what_waiting_between_them_takes(
    waves: int, seconds: list[str]
) -> None:
    objects = [manifest("ConfigMap", f"c{wave}", **{WAVE: str(wave)}) for wave in range(waves)]
    hits = RULES["ARG016"].check(release(*objects))
    assert [hit.facts["seconds"] for hit in hits] == seconds


def test_a_claim_is_bound_when_its_first_reader_comes() -> None:
    claimed = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]}
    spec = {"template": {"spec": claimed}}
    claim, last = manifest("PersistentVolumeClaim", "s"), manifest("ConfigMap", **{WAVE: "5"})
    assert variants("ARG017", claim, manifest("Deployment", spec=spec), last) == []
    late = manifest("Deployment", spec=spec, **{WAVE: "1"})
    assert variants("ARG017", claim, late, last) == ["claim:warning"]
    smoke = job("smoke", **{HOOK: "PostSync"})
    assert variants("ARG017", manifest("Service", spec={"type": "ClusterIP"}), smoke) == []
    assert variants("ARG017", manifest("Deployment", spec={"paused": "yes"}), smoke) == []


# Names, Jobs, deleting


def test_generated_names_are_for_hooks_that_something_deletes() -> None:
    generated = {"generateName": "x-"}
    hook = {**job(spec={"ttlSecondsAfterFinished": None}), "metadata": {**generated}}
    hook["metadata"]["annotations"] = {HOOK: "Sync"}
    assert variants("ARG018", hook) == ["stays:warning"]
    hook["metadata"]["annotations"] = {HOOK: "Sync", DELETE: "HookSucceeded"}
    assert variants("ARG018", hook) == []
    assert variants("ARG018", {"kind": "Job", "metadata": generated}) == ["no-hook:error"]
    assert variants("ARG018", {"kind": "Job", "metadata": {}}) == [":error"]


def test_instance_of_another_release_is_told_and_that_of_an_unknown_one_is_not() -> None:
    copied = manifest("Service")
    copied["metadata"]["labels"] = {"app.kubernetes.io/instance": "cart-service"}
    assert variants("ARG019", copied) == ["instance:warning"]
    copied["metadata"]["labels"] = {"app.kubernetes.io/instance": "auth-dev"}
    assert variants("ARG019", copied) == []


def test_jobs_that_are_no_hooks() -> None:
    plain = {"ttlSecondsAfterFinished": None}
    assert variants("ARG021", job(spec=plain)) == [":warning"]
    assert variants("ARG021", job()) == []  # ARG020 tells of its ttl
    assert variants("ARG020", job()) == ["tracked:error"]
    assert variants("ARG021", job(spec=plain, **{HELM: "test"})) == []
    assert variants("ARG020", job(**{HELM: "test"})) == []


def test_pods_as_hooks_need_a_deadline_and_an_end() -> None:
    pod = manifest("Pod", spec={}, **{HOOK: "PostSync"})
    assert variants("ARG022", pod) == [":warning"]
    assert variants("ARG024", pod) == ["always:error"]
    assert variants("ARG022", manifest("Pod", spec={})) == []
    assert variants("ARG024", job("m", {"restartPolicy": "OnFailure"}, **{HOOK: "Sync"})) == [
        ":warning"
    ]


def test_hook_that_limits_the_tries_of_each_index_says_something_of_them() -> None:
    silent = {"backoffLimit": None}
    indexed = {**silent, "completionMode": "Indexed", "completions": 2, "backoffLimitPerIndex": 0}
    assert variants("ARG023", job(spec=silent, **{HOOK: "Sync"})) == [":notice"]
    assert variants("ARG023", job(spec=indexed, **{HOOK: "Sync"})) == []


def test_log_is_lost_by_the_policy_of_either_annotation() -> None:
    helm = f"{HELM}-delete-policy"
    assert pointers("ARG025", job(**{HOOK: "Sync", helm: "hook-failed"})) == [
        ("Job/migrate", annotation(helm))
    ]
    assert variants("ARG025", job(**{HOOK: "Sync", DELETE: "HookSucceeded"})) == ["success:notice"]
    assert variants("ARG025", job(**{HOOK: "Sync", DELETE: "hook-failed"})) == []


@pytest.mark.parametrize(
    ("annotations", "hits"),
    [
        ({OPTIONS: "Delete=false"}, ["pruned:warning"]),
        ({OPTIONS: "Prune=false"}, ["deleted:notice"]),
        ({OPTIONS: "Prune=false,Delete=false"}, []),
        ({"helm.sh/resource-policy": "keep", OPTIONS: "Prune=confirm"}, []),
        ({"helm.sh/resource-policy": "keep"}, ["keep:warning"]),
    ],
)
def test_protection_is_from_both_ways_or_none(annotations: Any, hits: list[str]) -> None:
    assert variants("ARG026", manifest("PersistentVolumeClaim", **annotations)) == hits


# The project


def test_secret_in_clear_and_rights_are_refused() -> None:
    role = {**manifest("Role"), "apiVersion": "rbac.authorization.k8s.io/v1"}
    assert variants("ARG028", manifest("Secret"), role, manifest("Namespace")) == [
        ":error",
        ":error",
        "cluster:error",
    ]


def test_project_among_the_files_decides() -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: services-dev}
spec:
  destinations: [{namespace: "team-*"}, {namespace: services-dev}, {namespace: "!team-secret"}]
  clusterResourceWhitelist: [{group: "", kind: Name*}]
"""
    own = project({"platform/projects.yaml": text})
    placed = [manifest("ConfigMap", name) for name in ("a", "b", "c")]
    for config_map, namespace in zip(placed, ("team-a", "team-secret", "other"), strict=True):
        config_map["metadata"]["namespace"] = namespace
    hits = RULES["ARG027"].check(release(*placed, of=own))
    assert [hit.facts["namespace"] for hit in hits] == ["team-secret", "other"]
    assert variants("ARG028", manifest("Namespace"), manifest("Secret"), of=own) == []


def test_nothing_of_this_holds_where_helm_deploys() -> None:
    bad = manifest("Secret", **{HOOK: "Presync", WAVE: "x"})
    assert variants("ARG001", bad) == [":error"]
    by_helm = project(engine="helm")
    assert [
        hit
        for code in RULES
        if RULES[code].scope == "release"
        for hit in variants(code, bad, of=by_helm)
    ] == []


# Templates


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("a: {{ randAlphaNum 5 }}\n", ["1:7"]),
        ("a: b\nc: {{ .x | default (now | unixEpoch) }}\n", ["2:21"]),
        ("{{- if true }}\n{{- $id := uuidv4 -}}\n", ["2:12"]),
        ('a: {{ printf "now %s" "x" }}\n', []),
        ("a: now\n", []),
        ("{{/* randAlphaNum is not used: now */}}\n", []),
        ("a: {{ .Values.now }}\nb: {{ $now }}\n", []),
        ("a: {{ `now` }}{{ now }}\n", ["1:18"]),
        ("a: {{ now\n", ["1:7"]),
        ('a: {{ "\\"" | quote }}{{ ago .x }}\n', ["1:25"]),
    ],
)
def test_functions_are_found_where_they_are_called(text: str, hits: list[str]) -> None:
    path = "services/auth/helm/templates/x.yaml"
    files = {path: text, "services/auth/helm/templates/NOTES.txt": "{{ now }}"}
    shown = release(of=project(files))
    called = ("randAlphaNum", "now", "uuidv4", "ago", "genCA", "randBytes", "shuffle", "htpasswd")
    shown.service.releases[shown.environment] = dataclasses.replace(shown, calls=called)
    places = [str(hit.place) for hit in RULES["ARG029"].check(shown.service)]
    assert [place for place in places if place.startswith(path)] == [
        f"{path}:{number}" for number in hits
    ]


def test_of_several_calls_those_are_told_that_are_made() -> None:
    path = "services/auth/helm/templates/x.yaml"
    text = "{{ if .x }}\na: {{ genCA }}\n{{ end }}\nb: {{ genCA }}\nc: {{ uuidv4 }}\n"
    shown = release(of=project({path: text}))
    shown.service.releases[shown.environment] = dataclasses.replace(
        shown, calls=("genCA", "uuidv4"), sites=frozenset({("genCA", path, 4)})
    )
    hits = RULES["ARG029"].check(shown.service)
    # Nothing tells where uuidv4 is called, so its place in the text is told.
    assert [str(hit.place) for hit in hits] == [f"{path}:4:7", f"{path}:5:7"]


def test_functions_that_no_environment_calls_are_silent() -> None:
    path = "services/auth/helm/charts/redis/templates/x.yaml"
    service = release(of=project({path: "a: {{ randAlphaNum 5 }}"})).service
    assert list(RULES["ARG029"].check(service)) == []


def test_unpacked_dependencies_are_looked_into() -> None:
    path = "services/auth/helm/charts/redis/templates/x.yaml"
    text = "{{ if .Release.IsUpgrade }}{{ lookup }}{{ end }}"
    service = release(of=project({path: text})).service
    hits = list(RULES["ARG030"].check(service))
    assert [(hit.variant, hit.facts["function"]) for hit in hits] == [
        ("release", "Release.IsUpgrade"),
        ("", "lookup"),
    ]


# Applications


def application(
    *, name: str = "accounts-dev", source: str = "", sync: str = "", extra: str = "", kind: str = ""
) -> str:
    revision = "" if "targetRevision" in source else "targetRevision: refs/heads/develop, "
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: {kind or "Application"}
metadata: {{name: {name}}}
spec:
  project: services-dev
  source: {{repoURL: "https://git.example.com/shop", {revision}{source}}}
  syncPolicy: {{{sync}}}
{extra}"""


def declared(code: str, text: str, path: str = "apps/a.yaml", **files: str) -> list[str]:
    """What a rule finds in a file, as variant and severity."""
    return [worded(RULES[code], hit) for hit in RULES[code].check(project({path: text, **files}))]


@pytest.mark.parametrize(
    ("revision", "hits"),
    [
        ("targetRevision: develop", []),
        ("targetRevision: HEAD", ["head:error"]),
        ('targetRevision: ""', ["missing:error"]),
        ("targetRevision: main", [":error"]),
        ('targetRevision: "{{ .branch }}"', []),
    ],
)
def test_revision_is_the_environments_branch(revision: str, hits: list[str]) -> None:
    assert declared("ARG037", application(source=revision)) == hits


def test_other_repositories_have_their_own_branches() -> None:
    text = application(source="targetRevision: main").replace("shop", "platform")
    assert declared("ARG037", text) == []
    assert declared("ARG037", text.replace("main", "HEAD")) == ["head:error"]


def test_generators_within_a_matrix_are_looked_at() -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: everything, labels: {hanbae.dev/environment: staging}}
spec:
  generators:
    - matrix:
        generators:
          - list: {elements: []}
          - git: {repoURL: "https://git.example.com/shop.git", revision: develop}
"""
    (hit,) = RULES["ARG037"].check(project({"a.yml": text}))
    assert str(hit.place) == "a.yml:9:64"
    assert hit.facts["branch"] == "release"


@pytest.mark.parametrize(
    ("path", "name", "automated", "hits"),
    [
        ("k8s/argocd/staging/a.yaml", "auth", "{}", [":error"]),
        ("apps/a.yaml", "accounts-staging", "{prune: true}", [":error"]),
        ("apps/a.yaml", "accounts-staging", "{prune: false, selfHeal: false}", ["off:error"]),
        ("apps/a.yaml", "accounts-staging", "{enabled: false, prune: true}", []),
        ("apps/a.yaml", "auth-dev", "{}", []),
        ("apps/a.yaml", "else", "{prune: false, selfHeal: false}", ["unknown:warning"]),
        ("apps/a.yaml", "else", "{}", []),
        ("apps/a.yaml", "accounts-staging", "null", []),
    ],
)
def test_automation_is_the_policys(path: str, name: str, automated: str, hits: list[str]) -> None:
    text = application(name=name, sync=f"automated: {automated}")
    assert declared("ARG031", text, path) == hits


@pytest.mark.parametrize(
    ("sync", "hits"),
    [
        ("retry: {limit: 0}", []),
        ("retry: {limit: -1}", [":warning"]),
        ("retry: {limit: 3}", [":warning"]),
        ("automated: {}, retry: {}", []),
        ("automated: {}", ["default:warning"]),
        ("", []),
    ],
)
def test_retries_are_told(sync: str, hits: list[str]) -> None:
    assert declared("ARG032", application(sync=sync)) == hits


def test_values_and_project_of_what_the_policy_makes_are_told_by_env002() -> None:
    source = "path: services/auth/helm, helm: {valueFiles: [values-more.yaml]}"
    other = application(source=source).replace("project: services-dev", "project: default")
    assert declared("ARG039", other) == [":error"]
    assert declared("ARG040", other) == ["default:warning"]
    held = other.replace("accounts-dev", "auth-dev")
    assert declared("ARG039", held) == declared("ARG040", held) == []
    assert declared("ARG038", held) == ["missing:error"]


def test_force_is_an_option_of_objects() -> None:
    sync = "syncOptions: [Force=true, PrunePropagationPolicy=background, 5]"
    assert declared("ARG033", application(sync=sync)) == ["force:error", ":error"]


def test_release_is_the_policys() -> None:
    chart = "path: services/auth/helm"
    assert declared("ARG038", application(source=chart)) == ["missing:error"]
    assert declared("ARG038", application(source=chart, name="auth-service")) == []
    other = f"{chart}, helm: {{releaseName: auth}}"
    assert declared("ARG038", application(source=other)) == [":error"]
    assert declared("ARG038", application(source="path: platform/redis")) == []


@pytest.mark.parametrize(
    ("helm", "hits"),
    [
        ("valueFiles: [values-dev.yaml]", []),
        ("valueFiles: [values.yaml, values-dev.yaml]", ["ignored:error"]),
        ("valueFiles: [values-dev.yaml, values-more.yaml]", ["order:warning", ":error"]),
        ("valueFiles: [values-more.yaml], ignoreMissingValueFiles: true", []),
        ("valueFiles: [/platform/common.yaml, values-dev.yaml]", []),
        ("valueFiles: ['*.yaml', '$values/x.yaml', '../../x.yaml', values-dev.yaml]", []),
    ],
)
def test_values_files_are_those_that_git_has(helm: str, hits: list[str]) -> None:
    there = {"services/auth/helm/values-dev.yaml": "a: 1", "platform/common.yaml": "a: 1"}
    text = application(source=f"path: services/auth/helm, helm: {{{helm}}}")
    assert declared("ARG039", text, **there) == hits


def test_projects_that_bound_nothing() -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: all}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
  syncWindows: [{kind: block, applications: [a]}]
"""
    assert declared("ARG040", text) == [":warning"] * 3
    assert declared("ARG041", text) == ["kind:warning"]


def test_several_documents_have_their_own_places() -> None:
    text = (
        f"# two\n---\n{application(name='a')}---\n{application(name='b', sync='retry: {limit: 2}')}"
    )
    (hit,) = RULES["ARG032"].check(project({"apps/a.yaml": text}))
    assert str(hit.place) == "apps/a.yaml:17:24"


@pytest.mark.parametrize(
    "path",
    ["services/auth/helm/templates/a.yaml", "services/auth/helm/crds/a.yaml", "apps/a.json"],
)
def test_charts_and_other_files_are_not_read_as_manifests(path: str) -> None:
    assert project({path: application()}).declared == ()


# Shapes that no chart should have

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.just("Sync")
KEYS = st.sampled_from(
    [
        *("kind", "metadata", "name", "generateName", "labels", "annotations", "spec", "template"),
        *(
            "containers",
            "envFrom",
            "env",
            "valueFrom",
            "secretRef",
            "volumes",
            "projected",
            "sources",
        ),
        *("imagePullSecrets", "restartPolicy", "ttlSecondsAfterFinished", "namespace", "paused"),
        *(HOOK, HELM, WAVE, OPTIONS, DELETE, "helm.sh/resource-policy", "syncPolicy", "automated"),
        *("source", "sources", "helm", "valueFiles", "generators", "matrix", "git", "destinations"),
        *("retry", "syncOptions", "syncWindows", "goTemplate", "targetRevision", "repoURL", "path"),
    ]
)
SHAPES: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(SHAPES, max_size=3) | st.dictionaries(KEYS, SHAPES, max_size=6)
)
KINDS = st.sampled_from(["Job", "Pod", "Deployment", "SealedSecret", "ServiceAccount", "CronJob"])


@given(kind=KINDS, metadata=st.dictionaries(KEYS, SHAPES, max_size=5), spec=SHAPES)
def test_no_shape_of_an_object_breaks_a_rule(kind: str, metadata: Any, spec: Any) -> None:
    odd = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    beside = manifest("SealedSecret", "s"), reading("Job", **{HOOK: "PreSync"})
    view = release(odd, *beside)
    for rule in RULES.values():
        if rule.scope == "release":
            for hit in rule.check(view):
                assert worded(rule, hit)
                assert all(isinstance(value, str) for value in hit.facts.values())


@given(kind=st.sampled_from(["Application", "ApplicationSet", "AppProject"]), spec=SHAPES)
def test_no_shape_of_a_manifest_breaks_a_rule(kind: str, spec: Any) -> None:
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "x-dev"}}
    view = project({"a.yaml": json.dumps({**head, "spec": spec})})
    for rule in RULES.values():
        if rule.scope == "project":
            for hit in rule.check(view):
                assert worded(rule, hit)
                assert isinstance(hit.place, subjects.Place)


def test_every_object_that_is_declared_is_found() -> None:
    text = '{"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject"}'
    assert [declared.kind for declared in project({"a.yaml": text}).declared] == ["AppProject"]
