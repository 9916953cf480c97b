"""Pods: restarted when what they read is rotated, and without a token that they do not need."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.releases import external_secrets
from hanbae.rules import restarting, rulebook, views
from hanbae.rules.argo import prerequisites
from hanbae.rules.secrets import secret_readers


@rulebook.of_release(
    "SEC017",
    "warning",
    source="https://helm.sh/docs/howto/charts_tips_and_tricks/#automatically-roll-deployments",
    essential=False,
)
def no_restart(release: views.Release) -> Iterator[rulebook.Hit]:
    """Pods that go on with the old value after a rotation."""
    makers = _rotated(release)
    if not makers:
        return
    first = set()
    for read in secret_readers.reads(release):
        manifest, maker = read.place.object, makers.get(read.secret)
        if manifest.kind not in restarting.ROLLED or maker is None or manifest.index in first:
            continue
        first.add(manifest.index)
        if read.way not in ("variable", "variables"):
            continue
        facts = {"object": manifest.label, "secret": read.secret[1]}
        if _is_store_followed(maker):
            # Nothing in git changes with the value, so nothing in the pod template does.
            if not restarting.reloads(manifest):
                part = views.On(manifest, ("metadata", "annotations"))
                facts["maker"] = maker.label
                yield rulebook.Hit(part, facts, "external", fix="rule.sec017-fix-external")
        elif not restarting.restarts(manifest, "secret"):
            yield rulebook.Hit(
                views.On(manifest, ("spec", "template", "metadata", "annotations")), facts
            )


def _rotated(release: views.Release) -> dict[secret_readers.Name, views.Object]:
    """The Secrets whose values somebody rotates, each with what makes it."""
    makers = {
        (manifest.namespace, manifest.name): manifest for manifest in secret_readers.sealed(release)
    }
    for manifest in secret_readers.external(release):
        name = (manifest.namespace, external_secrets.secret(manifest.data))
        makers.setdefault(name, manifest)
    return makers


def _is_store_followed(maker: views.Object) -> bool:
    is_external = maker.kind == external_secrets.KIND
    return is_external and external_secrets.follows_store(maker.data)


@rulebook.of_release(
    "SEC018",
    "warning",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"
    "#opt-out-of-api-credential-automounting",
    essential=False,
)
def token(release: views.Release) -> Iterator[rulebook.Hit]:
    """Pods with a token for the API server, although nothing gives their account any right."""
    accounts: dict[str, views.Object] | None = None
    for manifest in release.objects:
        if (
            manifest.pod is None
            or manifest.get(*manifest.pod) is None
            or prerequisites.is_hook_of_no_phase(manifest)
        ):
            continue
        setting = manifest.get(*manifest.pod, "automountServiceAccountToken")
        if setting is False:
            continue
        if accounts is None:
            accounts = {
                service_account.name: service_account
                for service_account in release.of_kind("ServiceAccount")
            }
        name = str(manifest.get(*manifest.pod, "serviceAccountName") or "default")
        account = accounts.get(name)
        off = account is not None and account.get("automountServiceAccountToken") is False
        if (setting is None and off) or _has_rights(release, name):
            continue
        part = views.On(manifest, (*manifest.pod, "automountServiceAccountToken"))
        yield rulebook.Hit(part, {"object": manifest.label})


def _has_rights(release: views.Release, account: str) -> bool:
    for manifest in release.of_kind("RoleBinding", "ClusterRoleBinding"):
        subjects = manifest.get("subjects")
        for subject in subjects if isinstance(subjects, list) else ():
            if isinstance(subject, dict) and subject.get("name") == account:
                return True
    return False
