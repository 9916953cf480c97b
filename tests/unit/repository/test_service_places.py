"""Which services a tree has, and where, when folders do not follow from names."""

from __future__ import annotations

import pytest
from tests.support import foreign, trees

from hanbae.policy import documents, loading, naming, service_paths
from hanbae.repository import services


def read(text: str = foreign.POLICY) -> documents.Policy:
    return loading.parse(text.encode(), "hanbae.yaml")[0]


def tree(*more: str) -> trees.MemoryTree:
    texts = foreign.files() | dict.fromkeys(more, "apiVersion: v2\n")
    return trees.MemoryTree({path: text.encode() for path, text in texts.items()})


def located(text: str = foreign.POLICY, *more: str) -> documents.Policy:
    return services.located(read(text), tree(*more))


def test_services_of_all_globs_and_by_name_are_found_without_the_excluded() -> None:
    policy = located()
    assert services.of(policy, tree()) == tuple(foreign.SERVICES)
    assert {n: str(naming.chart(policy, n)) for n in foreign.SERVICES} == foreign.SERVICES


def test_the_glob_that_comes_first_counts_where_a_service_is_twice() -> None:
    assert services.places(read(), tree("apps/auth/helm/Chart.yaml"))["auth"] == [
        "services/auth/helm",
        "apps/auth/helm",
    ]
    policy = located(foreign.POLICY, "apps/auth/helm/Chart.yaml")
    assert str(naming.chart(policy, "auth")) == "services/auth/helm"


def test_a_service_that_is_named_takes_its_folder_from_the_globs() -> None:
    text = foreign.POLICY.replace("{solo: {path: helm}}", "{billing: {path: charts/pay}}")
    assert services.of(read(text), tree()) == ("auth", "billing", "shop")


def test_several_services_share_a_chart() -> None:
    text = foreign.POLICY.replace(
        "{solo: {path: helm}}", "{one: {path: helm}, two: {path: helm, values: [two.yaml]}}"
    )
    policy = services.located(read(text), tree())
    assert services.of(policy, tree()) == ("auth", "one", "pay", "shop", "two")
    assert [str(naming.values_file(policy, name, "dev")) for name in ("one", "two")] == [
        "envs/dev/one.yaml",
        "helm/two.yaml",
    ]


@pytest.mark.parametrize(
    ("excluded", "names"),
    [
        ("charts", ("auth", "shop", "solo")),
        ("services/auth", ("pay", "platform", "shop", "solo")),
        ("*/auth", ("pay", "platform", "shop", "solo")),
        ("services/*/helm", ("pay", "platform", "shop", "solo")),
        ("charts/p*", ("auth", "shop", "solo")),
        ("services/aut", ("auth", "pay", "platform", "shop", "solo")),
    ],
)
def test_a_folder_is_excluded_by_itself_or_by_one_above(
    excluded: str, names: tuple[str, ...]
) -> None:
    text = foreign.POLICY.replace('["charts/platform"]', f'["{excluded}"]')
    assert services.of(read(text), tree()) == names


def test_a_chart_within_a_chart_is_not_a_service() -> None:
    inner = "charts/pay/charts/redis/Chart.yaml"
    assert services.of(read(), tree(inner)) == tuple(foreign.SERVICES)


def test_one_glob_needs_no_tree() -> None:
    text = "\n".join(
        line
        for line in foreign.POLICY.split("\n")
        if not line.startswith(("  path", "  exclude", "  named"))
    )
    policy = read(text)
    assert services.located(policy, tree()) is policy
    assert services.of(policy, tree()) == ("auth",)


def test_a_service_moves_with_its_tree() -> None:
    policy = located()
    moved = tree()
    moved.contents["apps/auth/helm/Chart.yaml"] = moved.contents.pop(
        "services/auth/helm/Chart.yaml"
    )
    assert str(naming.chart(services.located(policy, moved), "auth")) == "apps/auth/helm"


def test_folders_of_a_service() -> None:
    policy = located()
    places = {name: service_paths.place(policy.services, name) for name in foreign.SERVICES}
    assert places["auth"].own == places["auth"].around == "services/auth"
    assert places["pay"].own == places["pay"].around == "charts/pay"
    assert places["solo"].own == "helm"
    assert str(naming.migrations_folder(policy, "pay")) == "services/pay/migrations"


def test_a_chart_that_is_the_services_own_folder_has_the_migrations_in_it() -> None:
    text = "\n".join(ln for ln in foreign.POLICY.split("\n") if not ln.startswith("  migrations"))
    policy = located(text)
    assert str(naming.migrations_folder(policy, "pay")) == "charts/pay/migrations"
    assert str(naming.migrations_folder(policy, "auth")) == "services/auth/migrations"
