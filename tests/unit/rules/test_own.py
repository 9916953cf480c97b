"""The team's own rules: found where they are broken, bounded, and never a traceback."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support import trees

from hanbae import errors
from hanbae.actions import check
from hanbae.argo import own_rules
from hanbae.policy import loading
from hanbae.results import findings
from hanbae.rules import casebook, expressions, own

RULES = """
rules:
  - id: two-replicas
    kinds: [apps/Deployment]
    expression: object.spec.replicas >= 2
    message: "Production runs two pods of everything."
    environments: [production]
"""
TOO_LONG = "object.all(a, object.all(b, object.all(c, a + b + c != 'x')))"


def with_rules(shop: trees.MemoryTree, text: str = RULES) -> trees.MemoryTree:
    return shop.changed([casebook.Change("hanbae.yaml", append=text)])


def of_policy(tree: trees.MemoryTree) -> Any:
    return loading.parse(tree.contents["hanbae.yaml"], "hanbae.yaml")[0]


def findings_of(checked: Any, tree: trees.MemoryTree) -> list[findings.Finding]:
    return list(checked(tree, ["auth"], own.rules(of_policy(tree))))


def test_rule_is_found_where_its_value_stands_and_only_in_its_environments(
    checked: Any, shop: trees.MemoryTree
) -> None:
    tree = with_rules(shop).changed(
        [
            casebook.Change(
                "services/auth/helm/values-prod.yaml", replace={"replicas: 2": "replicas: 1"}
            )
        ]
    )
    (finding,) = findings_of(checked, tree)
    assert finding.code == "OWN-two-replicas"
    assert finding.environments == ("production",)
    assert finding.severity == "error"
    assert finding.text.facts["message"] == "Production runs two pods of everything."
    assert finding.object is not None
    assert finding.object.name == "auth-service"


def test_rule_that_holds_finds_nothing(checked: Any, shop: trees.MemoryTree) -> None:
    assert findings_of(checked, with_rules(shop)) == []


def test_expression_that_fails_on_an_object_is_a_finding(
    checked: Any, shop: trees.MemoryTree
) -> None:
    rules = RULES.replace("object.spec.replicas >= 2", "object.spec.missing == 1")
    (finding,) = findings_of(checked, with_rules(shop, rules))
    assert finding.text.id == "rule.own-found-failed-on"
    assert "missing" in finding.text.facts["reason"]


@pytest.mark.parametrize("expression", ["object.spec.replicas >=", "object.spec", "nobody == 1"])
def test_unusable_expression_is_one_finding_at_its_line(
    checked: Any, shop: trees.MemoryTree, expression: str
) -> None:
    tree = with_rules(shop, RULES.replace("object.spec.replicas >= 2", expression))
    (finding,) = findings_of(checked, tree)
    assert finding.text.id == "rule.own-found-unusable"
    line = tree.contents["hanbae.yaml"].decode().split("\n")[finding.place.line - 1]
    assert expression in line


def test_expression_that_would_take_for_ever_ends() -> None:
    assert "budget" in str(own.evaluated(TOO_LONG, {str(n): n for n in range(1000)}))


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python"])
def test_process_that_does_not_start_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    evaluator = expressions.Evaluator()
    reasons = evaluator.evaluate("true", [{}, {}]) + evaluator.evaluate("false", [{}])
    assert reasons == ["the process that evaluates it does not start"] * 3


def test_process_that_ended_while_it_waited_is_no_fault_of_the_next_expression() -> None:
    evaluator, others = expressions.Evaluator(), evaluating()
    try:
        assert evaluator.evaluate("object.a == 1", [{"a": 1}]) == [True]
        (process,) = evaluating() - others
        os.kill(process, signal.SIGKILL)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        assert evaluator.evaluate("object.a == 2", [{"a": 1}]) == [False]
    finally:
        evaluator.end()


def evaluating() -> set[int]:
    """Processes of this one that evaluate expressions."""
    listed = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    children = {int(number) for children in listed for number in children.read_text().split()}
    return {
        number
        for number in children
        if b"hanbae.rules.expression_worker" in Path(f"/proc/{number}/cmdline").read_bytes()
    }


def test_namespace_is_that_of_the_release(checked: Any, shop: trees.MemoryTree) -> None:
    rules = RULES.replace(
        "object.spec.replicas >= 2", "object.metadata.namespace == 'services-production'"
    )
    assert findings_of(checked, with_rules(shop, rules)) == []


@pytest.mark.parametrize(
    ("change", "text_id"),
    [
        ({"[production]": "[nowhere]"}, "policy.rule-unknown-environment"),
        ({"[apps/Deployment]": "[]"}, "policy.rule-without-kinds"),
        ({"[apps/Deployment]": "[deployments]"}, "policy.not-a-kind"),
        ({"object.spec.replicas >= 2": '""'}, "policy.not-an-expression"),
    ],
)
def test_rule_that_cannot_be_is_refused_with_its_line(
    shop: trees.MemoryTree, change: dict[str, str], text_id: str
) -> None:
    text = RULES
    for before, after in change.items():
        text = text.replace(before, after)
    with pytest.raises(errors.FileFault) as caught:
        of_policy(with_rules(shop, text))
    assert caught.value.text.id == text_id
    assert caught.value.place is not None
    assert caught.value.place.line > 100


def test_two_rules_of_one_id_are_refused(shop: trees.MemoryTree) -> None:
    twice = RULES + RULES.split("rules:\n")[1]
    with pytest.raises(errors.FileFault, match="rule-twice"):
        of_policy(with_rules(shop, twice))


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Deployment", "deployments"),
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Endpoints", "endpoints"),
        ("HTTPRoute", "httproutes"),
        ("Gateway", "gateways"),
        ("Elasticsearch", "elasticsearches"),
        ("Logstash", "logstashes"),
        ("Mailbox", "mailboxes"),
    ],
)
def test_admission_policy_names_the_resource_of_a_kind(
    shop: trees.MemoryTree, kind: str, resource: str
) -> None:
    tree = with_rules(shop, RULES.replace("apps/Deployment", f"example.com/{kind}"))
    policy, _ = loading.parse(tree.contents["hanbae.yaml"], "hanbae.yaml")
    (rules, _) = own_rules.policies(policy, "production")
    (matched,) = rules["spec"]["matchConstraints"]["resourceRules"]
    assert (matched["apiGroups"], matched["resources"]) == (["example.com"], [resource])


def test_check_uses_the_policys_own_rules(shop: trees.MemoryTree, tmp_path: Any) -> None:
    import asyncio

    rules = RULES.replace("object.spec.replicas >= 2", "1 > 2")
    for path, data in with_rules(shop, rules).contents.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    result = asyncio.run(check.check(tmp_path, check.Request(services=("auth",))))
    assert [finding.code for finding in result.findings] == ["OWN-two-replicas"]
