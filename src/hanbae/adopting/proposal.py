"""The policy that a survey suggests: what is known, and where it was guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import patterns
from hanbae.adopting import chart_folders, environments, naming_patterns, values_lists
from hanbae.adopting import uses as uses_
from hanbae.adopting.survey import Chart, Survey
from hanbae.adopting.uses import Use
from hanbae.policy import folders, naming

_RELEASE: Final = "{service}"
_APPLICATION: Final = "{service}-{environment}"
_RELEASE_BRANCH: Final = "release"
"""Where people prepare what goes to production next."""
_COMMIT: Final = patterns.lazy(r"[0-9a-f]{7,40}")
_VERSION: Final = patterns.lazy(r"v?[0-9]")
_RANGE: Final = frozenset("*^~{<>")


class Environment(Struct, frozen=True):
    """An environment of the proposal.

    Attributes:
        name: Its name.
        branch: The branch that it deploys.
        automated: Whether Argo CD syncs it by itself.
        suffix: The namespaces' suffix.
        control: The kubeconfig context of its cluster; empty for the current one.
        workload: What Argo CD calls the cluster of its pods; empty for Argo CD's own.
        overlay: The folder of its overlay; empty for none.
        guessed: Which of these nothing says: ``branch``, ``control``.
    """

    name: str
    branch: str
    automated: bool = False
    suffix: str = ""
    control: str = ""
    workload: str = ""
    overlay: str = ""
    guessed: tuple[str, ...] = ()


class Proposal(Struct, frozen=True):
    """A policy.

    Attributes:
        repository: The repository's URL as Argo CD fetches it; empty where nothing says it.
        argocd_namespace: Where Argo CD's objects are.
        paths: The globs of the chart folders.
        exclude: Folders among them that are no services.
        services: Service → its chart's folder.
        named: Service → keys of its own, such as its folder, namespace or release.
        namespace: The services' namespace, a template.
        release: The release's name, a template.
        application: The Application's name, a template.
        values: The values files, in order.
        environments: The environments, in the order of promotion.
        guesses: The keys that nothing in the repository says.
        left_out: Folders of charts that are not services.
        secret: The name of a service's Secret, a template.
        migrations: The folder of a service's migrations, a template; empty where it is the usual one.
        registries: Registries that seem to speak plain HTTP.
        databases: The databases that Jobs migrate: ``auth/identity``.
        phase: The phase in which Jobs migrate, where it is not the usual one; empty otherwise.
    """

    repository: str
    argocd_namespace: str
    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    services: dict[str, str]
    named: Named
    namespace: str
    release: str
    application: str
    values: tuple[str, ...]
    environments: tuple[Environment, ...]
    guesses: frozenset[str]
    left_out: tuple[str, ...] = ()
    secret: str = "{release}-secrets"  # noqa: S105  a name, no secret
    migrations: str = ""
    registries: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    phase: str = ""


Named = dict[str, dict[str, str | list[str]]]
"""Service → key → what is so for it alone."""


class Stated(Struct, frozen=True):
    """What a person has said of a repository that does not say it itself.

    Attributes:
        environments: The environments, in the order of promotion; empty where the repository says them.
        services: Folders of charts that are services although nothing here says so.
    """

    environments: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


def of(survey: Survey, *, origin: str, default_branch: str, stated: Stated = Stated()) -> Proposal:  # noqa: B008  it is immutable
    """The policy that a survey suggests.

    Args:
        survey: What there is.
        origin: The URL of the git remote as it may be written down; empty for none.
        default_branch: The branch of work, such as ``main``.
        stated: What a person has said.
    """
    guesses: set[str] = set()
    charts = chart_folders.services(survey, also=stated.services)
    layout = chart_folders.layout(charts, survey)
    names = stated.environments or _environment_names(survey, charts, layout)
    if not names:
        names = ("production",)
        guesses.add("environments")
    uses = tuple(uses_.of(survey, layout, names))
    renamed = _renamed(uses, layout)
    uses = tuple(
        msgspec.structs.replace(use, service=renamed.get(use.service, use.service)) for use in uses
    )
    services = {renamed.get(name, name): path for name, path in layout.services.items()}
    named: Named = {renamed.get(name, name): {"path": path} for name, path in layout.named.items()}
    release = _pattern("release", uses, _RELEASE, named, guesses)
    application = _pattern("application", uses, _APPLICATION, named, guesses)
    namespace, suffixes = _namespace(uses, names, named, guesses)
    values = _listed_values(survey, charts, services, uses, names, named, guesses)
    # An overlay that is a service's is not what belongs to the environment besides its services.
    around = tuple(item for item in survey.overlays if item.folder not in layout.places)
    rest = msgspec.structs.replace(survey, overlays=around)
    proposed = tuple(
        _environment(rest, name, uses, default_branch, suffixes.get(name, "")) for name in names
    )
    proposed = apart(proposed, namespace)
    homes = Counter(use.application.home for use in uses)
    return Proposal(
        _repository(survey, origin),
        homes.most_common(1)[0][0] if homes else "argocd",
        layout.paths,
        layout.exclude,
        services,
        named,
        namespace,
        release,
        application,
        values,
        proposed,
        frozenset(guesses),
        layout.left_out,
    )


def _repository(survey: Survey, origin: str) -> str:
    """The URL that Argo CD uses already, else that of the remote."""
    urls = Counter(app.repository for app in survey.applications if "://" in app.repository)
    if urls:
        return urls.most_common(1)[0][0]
    return origin


def _environment_names(
    survey: Survey, charts: Sequence[Chart], layout: chart_folders.Layout
) -> tuple[str, ...]:
    """The environments, by values files, overlays and Applications; of two words for one, the more frequent."""
    words: Counter[str] = Counter()
    for chart in charts:
        words.update({word for file in chart.files if (word := environments.of_file(file))})
    words.update({word for path in survey.values if (word := _of_values_path(path, charts))})
    words.update(item.environment for item in survey.overlays if _is_word(item.environment))
    words.update(word for _, word in layout.places.values() if _is_word(word))
    words.update(_words_of_applications(survey))
    deployed = _words_of_applications(survey)
    by_files = any(
        environments.in_text(file) for app in survey.applications for file in app.value_files
    )
    if len(deployed) > 1 or (
        deployed and by_files
    ):  # then a values file of another word is of something else, such as a test
        words = Counter({word: count for word, count in words.items() if word in deployed})
    names: list[str] = []
    for word, _ in words.most_common():
        if not any(environments.same(word, other) for other in names):
            names.append(word)
    return tuple(sorted(names, key=environments.rank))


def _words_of_applications(survey: Survey) -> Counter[str]:
    """The environments that Applications name, by their values files, their names or their namespaces."""
    words: Counter[str] = Counter()
    for application in survey.applications:
        texts = (*application.value_files, application.name, application.path)
        texts += (application.namespace,)
        words.update([word for text in texts if (word := environments.in_text(text))][:1])
    return words


def _is_word(text: str) -> bool:
    return text in environments.WORDS


def _of_values_path(path: str, charts: Sequence[Chart]) -> str:
    """The environment of a values file outside of the charts, which is there for one of them by its name."""
    word = environments.of_file(path)
    parts = set(path.removesuffix(".yaml").removesuffix(".yml").replace(".", "/").split("/"))
    return word if any(chart.name in parts for chart in charts) else ""


def _renamed(uses: Sequence[Use], layout: chart_folders.Layout) -> dict[str, str]:
    """Services that are known by the name of their chart only → what their Applications call them."""
    names: dict[str, str] = {}
    for service in layout.nameless:
        samples = [
            naming_patterns.Sample("", use.environment, use.application.name)
            for use in uses
            if use.service == service
        ]
        template = naming_patterns.of(samples, "").template
        name = template.replace("{environment}", "").strip("-")
        if name and name not in layout.services and naming_patterns.is_service(name):
            names[service] = name
    return names


def _pattern(
    field: str,
    uses: Sequence[Use],
    default: str,
    named: Named,
    guesses: set[str],
) -> str:
    samples = [
        naming_patterns.Sample(
            use.service,
            use.environment,
            use.application.release if field == "release" else use.application.name,
        )
        for use in uses
    ]
    pattern = naming_patterns.of(samples, default)
    usable = "{service}" in pattern.template and _is_possible(pattern.template, field)
    template = pattern.template if usable else default
    for service, own in pattern.named.items():
        if _is_possible(own, field):
            named.setdefault(service, {})[field] = own
    if not samples or template != pattern.template:
        guesses.add(field)
    return template


def _is_possible(template: str, field: str) -> bool:
    """Whether a policy may have a template of names."""
    plain = template.replace("{service}", "x").replace("{environment}", "x")
    return naming.is_object(plain, field)


def _namespace(
    uses: Sequence[Use],
    names: Sequence[str],
    named: Named,
    guesses: set[str],
) -> tuple[str, dict[str, str]]:
    """The namespace's template, and the suffix of each environment."""
    samples = [
        naming_patterns.Sample(use.service, use.environment, use.application.namespace)
        for use in uses
        if use.application.namespace
    ]
    if not samples:
        guesses.add("namespace")
        return "services", {}
    pattern = naming_patterns.of(samples, "services")
    for service, own in pattern.named.items():
        named.setdefault(service, {})["namespace"] = own
    template = pattern.template
    if template.endswith("-{environment}") and template.count("{environment}") == 1:
        # An environment has one suffix for all namespaces, so those of single services must end
        # with it too.
        owns = [str(item["namespace"]) for item in named.values() if "namespace" in item]
        if all(own.endswith("-{environment}") for own in owns):
            for item in named.values():
                if "namespace" in item:
                    item["namespace"] = str(item["namespace"]).removesuffix("-{environment}")
            return template.removesuffix("-{environment}"), {name: f"-{name}" for name in names}
    return template, {}


def _values(
    survey: Survey,
    charts: Sequence[Chart],
    names: Sequence[str],
    guesses: set[str],
) -> tuple[str, ...]:
    """The values files, in order."""
    base = ("values.yaml",) if any("values.yaml" in chart.files for chart in charts) else ()
    patterns: Counter[str] = Counter()
    for chart in charts:
        for file in chart.files:
            word = environments.of_file(file)
            if word in names:
                pattern = file.replace(word, "{environment}", 1)
                # A name without a slash is in the chart's folder, a path begins at the repository's
                # root unless it begins with a dot (`naming.values_path`).
                patterns[pattern if "/" not in pattern else f"./{pattern}"] += 1
    for path in survey.values:
        word = _of_values_path(path, charts)
        if word in names:
            pattern = path.replace(word, "{environment}", 1)
            service = next((chart.name for chart in charts if chart.name in pattern), "")
            if service:
                patterns[pattern.replace(service, "{service}", 1)] += 1
    if not patterns:
        if charts:
            guesses.add("values")
            return base
        return ("values-{environment}.yaml",)
    return (*base, patterns.most_common(1)[0][0])


def _listed_values(  # noqa: PLR0917
    survey: Survey,
    charts: Sequence[Chart],
    services: dict[str, str],
    uses: Sequence[Use],
    names: Sequence[str],
    named: Named,
    guesses: set[str],
) -> tuple[str, ...]:
    """The values files that Applications list, else those that files suggest; what one service has goes to its name."""
    with_chart = {chart.folder for chart in charts}
    of_charts = {name: path for name, path in services.items() if path in with_chart}
    bases = {chart.folder for chart in charts if "values.yaml" in chart.files}
    lists = values_lists.of(uses, of_charts, bases)
    for service, own in lists.named.items():
        named.setdefault(service, {})["values"] = list(own)
    values = lists.common
    if values is None:
        values = _values(survey, charts, names, guesses)
    deployed = {use.service for use in uses}
    every = _files(survey)
    for name, path in of_charts.items():
        existing = [entry for entry in values if _is_there(entry, every, name, path, names)]
        if existing != list(values) and name not in deployed:
            named.setdefault(name, {})["values"] = existing
    return values


def _files(survey: Survey) -> set[str]:
    """The YAML files of a repository, those of its charts too, from its root."""
    of_charts = (
        folders.path(chart.folder, file) for chart in survey.charts for file in chart.files
    )
    return {*survey.values, *of_charts}


def _is_there(entry: str, files: set[str], service: str, folder: str, names: Sequence[str]) -> bool:
    """Whether a service has a values file of a list, for one environment at least."""
    paths = [naming.filled(entry, service, name, release=service) for name in names]
    return any(naming.values_path(folder, path) in files for path in paths)


def _environment(
    survey: Survey, name: str, uses: Sequence[Use], default_branch: str, suffix: str
) -> Environment:
    own = [use.application for use in uses if use.environment == name] or [
        application
        for application in survey.applications
        if environments.same(environments.in_text(application.name), name)
    ]
    revisions = Counter(app.revision for app in own)
    branch = ""
    guessed: tuple[str, ...] = ()
    likely = [other for other in survey.branches if environments.same(other, name)]
    between = environments.is_before_production(name) and _RELEASE_BRANCH in survey.branches
    if revisions:
        revision = revisions.most_common(1)[0][0]
        branch = default_branch if revision == "HEAD" else revision
    if not branch or _is_fixed(branch):
        guessed = () if likely else ("branch",)
        branch = likely[0] if likely else _RELEASE_BRANCH if between else default_branch
    clusters = Counter(app.cluster for app in own if app.cluster)
    cluster = clusters.most_common(1)[0][0] if clusters else ""
    # `in-cluster` is what Argo CD calls the cluster that it runs in. An address is not the name of one.
    workload = cluster if cluster and "://" not in cluster and cluster != "in-cluster" else ""
    overlays = [
        item.folder
        for item in survey.overlays
        if environments.same(item.environment, name) and item.base == "k8s"
    ]
    automated = bool(own) and all(app.automated for app in own)
    return Environment(
        name, branch, automated, suffix, "", workload, overlays[0] if overlays else "", guessed
    )


def apart(separate: tuple[Environment, ...], namespace: str) -> tuple[Environment, ...]:
    """Environments that would share their namespaces, each in a cluster of its own, which is a guess.

    Args:
        separate: The environments.
        namespace: The services' namespace, a template.
    """
    separate = tuple(without_guessed_cluster(item) for item in separate)
    if len(separate) == 1 or "{environment}" in namespace:
        return separate
    keys = Counter((item.workload, item.suffix) for item in separate)
    if all(count == 1 for count in keys.values()):
        return separate
    return tuple(
        msgspec.structs.replace(item, control=item.name, guessed=(*item.guessed, "control"))
        for item in separate
    )


def without_guessed_cluster(item: Environment) -> Environment:
    """An environment in the current context's cluster, unless something says which one it is."""
    if "control" not in item.guessed:
        return item
    guessed = tuple(key for key in item.guessed if key != "control")
    return msgspec.structs.replace(item, control="", guessed=guessed)


def _is_fixed(revision: str) -> bool:
    """Whether a revision is a version, a range of them or a commit, which is not a branch to deploy."""
    return bool(
        _COMMIT.fullmatch(revision) or _VERSION.match(revision) or _RANGE & frozenset(revision)
    )
