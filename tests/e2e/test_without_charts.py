"""Services without a chart: an overlay with a PreSync Job, and plain manifests, deployed by the narrow deployer."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.support import demos, foreign_shops
from tests.support.foreign_shops import ForeignShop

from hanbae.actions import set_image
from hanbae.charts import values
from hanbae.policy import loading

EDGE = "edge"
DATA = foreign_shops.SOURCE.with_name("chartless-shop")
_DEPLOY = ("--env", EDGE, "--output", "json", "--insecure-registry")


@pytest.fixture(scope="module")
def bare(demo: demos.Demo) -> ForeignShop:
    """The repository, generated, sealed and with images, on its one branch."""
    bare = foreign_shops.create(demo.sandbox, data=DATA, name="bare")
    with values.editing(bare.clone / loading.NAME, loading.NAME) as policy:
        policy.update({("argocd", "repository"): bare.shop.repository.url})
    demo.sandbox.kubectl(["create", "namespace", f"bare-{EDGE}"])
    bare.shop.prepare_namespaces(EDGE)
    reference = bare.build("ledger", "3.0.0")
    bare.seal("ledger", EDGE)
    for service in ("ledger", "notes"):
        bare.use_image(service, EDGE, reference)
    generated = bare.hanbae("generate", "argocd")
    assert generated.code == 0, generated.err
    bare.publish("main", "Image and secrets")
    bare.shop.apply(f"k8s/argocd/{EDGE}")
    return bare


def test_check_and_plan_say_what_is_there(bare: ForeignShop) -> None:
    checked = bare.hanbae("check", "--output", "json")
    findings = json.loads(checked.out)["findings"]
    assert not [finding for finding in findings if finding["severity"] == "error"]
    rows = json.loads(bare.hanbae("secrets", "list", "--output", "json").out)
    assert {"database-url", "jwt-secret"} <= {
        row["key"]
        for row in rows["keys"]
        if row["service"] == "ledger" and row["state"] == "sealed"
    }


def test_both_are_deployed_and_the_database_is_proven(bare: ForeignShop) -> None:
    planned = bare.hanbae("plan", "--env", EDGE, "--insecure-registry", deployer=EDGE)
    assert planned.code == 0, planned.err
    ended = bare.hanbae("deploy", *_DEPLOY, deployer=EDGE)
    assert ended.code == 0, ended.err
    deployments = {deployment["service"]: deployment for deployment in ended.deployments}
    assert {name: entry["outcome"] for name, entry in deployments.items()} == {
        "ledger": "succeeded",
        "notes": "succeeded",
    }
    (proof,) = deployments["ledger"]["migrations"]
    versions = bare.versions("ledger", EDGE, "personal_db")
    assert proof["proven"]
    assert proof["version"] == versions[-1]
    assert not deployments["notes"]["migrations"]
    assert "ledger" in bare.hanbae("history", "list").out


def test_wrong_sql_and_an_image_that_is_not_there_are_named(bare: ForeignShop) -> None:
    """The deployer is not logged in to the registry, so the image is found missing by the pods alone."""
    wrong = bare.migrations("ledger") / "00090_wrong.sql"
    wrong.write_text("-- +goose Up\nALTER TABLE nowhere ADD COLUMN a text;\n")
    bare.use_image("ledger", EDGE, bare.build("ledger", "3.1.0"))
    absent = f"{bare.shop.sandbox.registry.address}/orders/ledger:none"
    asyncio.run(set_image.set_image(bare.clone, "notes", EDGE, absent, resolve=False))
    bare.publish("main", "A table that is not there, and an image that nobody has pushed")
    ended = bare.hanbae("deploy", *_DEPLOY, deployer=EDGE)
    assert ended.code == 1, ended.err
    assert {entry["outcome"] for entry in ended.deployments} == {"failed"}
    assert "00090_wrong.sql" in ended.err
    assert absent in ended.err
    assert 90 not in bare.versions("ledger", EDGE, "personal_db")
