"""The labels that hanbae writes and reads: makers and readers of an object must spell them alike."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "hanbae.dev/"
"""What all labels and annotations of hanbae's own begin with."""

SERVICE: Final = "hanbae.dev/service"
"""On an Application: its service."""

ENVIRONMENT: Final = "hanbae.dev/environment"
"""On everything generated: its environment."""

DATABASE: Final = "hanbae.dev/database"
"""On a migration or proof Job: the database that it works on."""

REVISION: Final = "hanbae.dev/revision"
"""On Helm's record of a release: the commit that hanbae has installed."""

HELM_REVISION: Final = "hanbae.dev/helm-revision"
"""On Helm's record of a release: Helm's own number of the revision that hanbae has installed."""

KEY: Final = "hanbae.dev/key"
"""On a Job that hanbae starts: the intent that it belongs to, so that a second one is recognised as the same."""

RUN: Final = "hanbae.dev/run"
"""On a hook's Job that hanbae makes: which run of the deployment it is of, where that is not the first."""

DEPLOYMENT: Final = "hanbae.dev/deployment"
"""On a Lease: the deployment that drives its application, or has driven it last."""

HOLDS: Final = "hanbae.dev/holds"
"""An annotation of a Lease: what may not be deployed; a Lease that has one has a label of that name, by which kubectl
lists it."""

DRIFT: Final = "hanbae.dev/drift"
"""An annotation of a proof's pod: the question about drift, which its second container finds as a file."""

RULE: Final = "hanbae.dev/rule"
"""On an admission policy: the team's rule that it enforces."""

PURPOSE: Final = "hanbae.dev/purpose"
"""An annotation of a namespace: what the policy says lives there."""

COMPONENT: Final = "app.kubernetes.io/component"
"""Kubernetes' own: ``migration`` or ``proof`` on hanbae's Jobs."""

HELM_RELEASE: Final = "meta.helm.sh/release-name"
"""Helm's own annotation: the release that an object belongs to."""

HELM_NAMESPACE: Final = "meta.helm.sh/release-namespace"
"""Likewise: the namespace of that release's record."""

TRACKING: Final = "argocd.argoproj.io/tracking-id"
"""Argo CD's own annotation: the Application that an object belongs to, and which object it was written on."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
"""Kubernetes' own: on everything generated, with :data:`HANBAE`."""

HANBAE: Final = "hanbae"
"""The value of :data:`MANAGED_BY`."""

CERTIFICATE: Final = "hanbae.dev/certificate"
"""An annotation of a SealedSecret in git: the fingerprint of the certificate that it is sealed with."""

CERTIFICATES: Final = "hanbae.dev/certificates"
"""Likewise: values that are sealed with another one, as JSON: key → fingerprint."""

CERTIFICATE_SOURCES: Final = "hanbae.dev/certificate-sources"
"""Likewise: where certificates came from, as JSON: fingerprint → source."""
