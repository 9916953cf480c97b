"""``hanbae secrets reseal`` where SealedSecrets stand in a chart's templates, with expressions around them."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import test_reseal
from tests.commands.test_reseal import CERTIFICATES, FORMER, NEWEST, STRANGE, backup

from hanbae import errors, masking, subjects
from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.sealing import certificates, encrypting

Run = test_reseal.Run
run = test_reseal.run
RESEAL = ("reseal", "auth", "--env", "dev", "--keys", "../keys.yaml")
PUBLIC = {name: certificates.parse(pem, name).public_key for name, pem in CERTIFICATES.items()}


def sealed(value: str, label: str, certificate: str = "former") -> str:
    plaintext = masking.Masked(value.encode())
    return encrypting.encrypt(plaintext, PUBLIC[certificate], label.encode())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    (root / "services/auth/helm/values.schema.json").unlink()  # of the scaffold's values alone
    (tmp_path / "keys.yaml").write_text(backup(("former", FORMER), ("newest", NEWEST)))
    monkeypatch.chdir(root)
    return root


def template(shop: Path, text: str, name: str = "kept.yaml") -> Path:
    path = shop / "services/auth/helm/templates" / name
    path.write_bytes(textwrap.dedent(text).encode())
    return path


def wrapped(ciphertext: str, indent: str, newline: str = "\n") -> str:
    return newline.join(indent + line for line in textwrap.wrap(ciphertext, 64))


def opened(text: str, label: str, key: object = NEWEST) -> str:
    return encrypting.decrypt(text, [key], label.encode()).unmask().decode()  # type: ignore[list-item]


def split(before: str, after: str, ciphertexts: dict[str, str]) -> dict[str, str]:
    """What stands in the place of each value now; all that is around them must be as it was."""
    pattern, names = "", list(ciphertexts)
    places = sorted((before.index(text), name) for name, text in ciphertexts.items())
    last = 0
    for start, name in places:
        pattern += re.escape(before[last:start]) + f"(?P<{name}>[A-Za-z0-9+/=]+)"
        last = start + len(ciphertexts[name])
    match = re.fullmatch(pattern + re.escape(before[last:]), after, re.DOTALL)
    assert match is not None, after
    return {name: match[name] for name in names}


HERE = "services-dev/auth-own"
OBJECT = """\
{{- if eq .Values.environment "dev" }}
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: auth-own
  labels: {{- include "auth.labels" . | nindent 4 }}
spec:
  encryptedData:
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_values_change_in_a_template(shop: Path, run: Run, newline: str) -> None:
    with (shop / "services/auth/helm/values-dev.yaml").open("a") as file:
        file.write("environment: dev\n")
    plain = {name: sealed(f"c4n4ry {name}", HERE) for name in ("A", "B", "C", "D")}
    other = sealed("c4n4ry staging", "services-staging/auth-own")
    wide = sealed("c4n4ry wide", "services-dev")
    text = (
        f"# a former value: {plain['A']}\n"
        "{{- /* and once more: "
        + plain["A"]
        + " */}}\n"
        + OBJECT
        + f'    A: "{plain["A"]}"   # of the vendor\n'
        + f"    B: '{plain['B']}'\n"
        + f"    C: {plain['C']}\n"
        + f"    D: {{{{ {chr(96)}{plain['D']}{chr(96)} | quote }}}}\n"
        + "{{- else if eq .Values.environment `staging` }}\n"
        + OBJECT.partition("\n")[2]
        + f"    A: {other}\n"
        + "{{- end }}\n---\n"
        + "{{- if eq .Values.environment `dev` }}\n"
        + "{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: wide, "
        + "annotations: {sealedsecrets.bitnami.com/namespace-wide: 'true'}}, "
        + f'spec: {{encryptedData: {{W: "{wide}"}}}}}}\n'
        + "{{- end }}\n"
    )
    path = template(shop, "")
    path.write_bytes(text.replace("\n", newline).encode())
    before = path.read_bytes().decode()
    code, out, err = run(*RESEAL, "--accept-certificate")
    assert code == 0, err
    assert sorted(out.split()[1::2]) == ["A", "B", "C", "D", "W"]
    after = path.read_bytes().decode()
    marks = {"A": before.rindex(plain["A"])}
    assert before[: marks["A"]] == after[: marks["A"]]  # the comments
    changed = split(before[marks["A"] :], after[marks["A"] :], {**plain, "W": wide})
    assert {name: opened(changed[name], HERE) for name in plain} == {
        name: f"c4n4ry {name}" for name in plain
    }
    assert opened(changed["W"], "services-dev") == "c4n4ry wide"

    # What the newest key opens stays as it is, until it is to be sealed anew all the same.
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 0, err
    assert path.read_bytes().decode() == after
    assert run(*RESEAL, "--accept-certificate", "--all")[0] == 0
    assert path.read_bytes().decode() != after


def test_values_in_block_scalars_change_whatever_lines_they_take(shop: Path, run: Run) -> None:
    plain = {name: sealed(f"c4n4ry {name}", HERE) for name in ("A", "B", "C")}
    text = (
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: auth-own}\n"
        "spec:\n  encryptedData:\n"
        f"    A: |\n{wrapped(plain['A'], '      ')}\n"
        f"    B: >-\n      {plain['B']}\n"
        '    C: "' + "\\\n      ".join(textwrap.wrap(plain["C"], 64)) + '"\n'
        "    {{- if false }}\n    D: never\n    {{- end }}\n"
    )
    path = template(shop, "")
    path.write_text(text)
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 0, err
    after = path.read_text()
    data = values.Values.parse(after.replace("{{- if false }}", "").replace("{{- end }}", ""), "v")
    read = data.get("spec.encryptedData")
    for name in plain:
        assert opened("".join(read[name].split()), HERE) == f"c4n4ry {name}"
    assert after.startswith(text.partition("    A:")[0])
    assert after.endswith(text[text.index("    {{- if false") :])
    assert re.search(r"    A: \|\n      [A-Za-z0-9+/=]+\n    B: >-\n", after)


def test_value_in_a_named_template_is_replaced_where_it_stands(shop: Path, run: Run) -> None:
    value = sealed("c4n4ry", HERE)
    helper = template(shop, '{{- define "auth.token" -}}\n' + value + "\n{{- end -}}\n", "_own.tpl")
    path = template(
        shop, OBJECT.partition("\n")[2] + '    A: {{ include "auth.token" . | quote }}\n'
    )
    before = path.read_bytes(), helper.read_text()
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 0, err
    assert path.read_bytes() == before[0]
    assert opened(split(before[1], helper.read_text(), {"A": value})["A"], HERE) == "c4n4ry"


@pytest.mark.parametrize(
    "expression",
    ["{{ .Values.own.token | quote }}", '{{ printf "%s%s" .Values.own.head .Values.own.rest }}'],
)
def test_value_that_an_expression_makes_is_refused_with_its_line(
    shop: Path, run: Run, expression: str
) -> None:
    value, literal = sealed("c4n4ry", HERE), sealed("c4n4ry 2", HERE)
    with (shop / "services/auth/helm/values-dev.yaml").open("a") as file:
        file.write(f"own: {{token: {value}, head: {value[:90]}, rest: {value[90:]}}}\n")
    path = template(shop, OBJECT.partition("\n")[2] + f"    A: {literal}\n    B: {expression}\n")
    before = path.read_bytes()
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 2
    assert "services/auth/helm/templates/kept.yaml:9" in err
    assert "B of auth-own is made by an expression" in " ".join(err.split())
    assert path.read_bytes() == before


def test_template_and_values_change_together_or_not_at_all(shop: Path, run: Run) -> None:
    (shop.parent / "former.pem").write_bytes(CERTIFICATES["former"])
    (shop.parent / "auth.env").write_text("URL=c4n4ry\n")
    words = ("seal", "auth", "--env", "dev", "--from-env-file", "../auth.env")
    assert run(*words, "--certificate", "../former.pem")[0] == 0
    value = sealed("c4n4ry", HERE)
    path = template(shop, OBJECT.partition("\n")[2] + f"    A: {value}\n    B: {value}\n")
    of_values = shop / "services/auth/helm/values-dev.yaml"
    before = path.read_bytes(), of_values.read_bytes()

    # Neither is believed a new certificate that the service's values do not know.
    code, _, err = run(*RESEAL)
    assert code == 5, err
    (shop.parent / "strange.yaml").write_text(backup(("newest", STRANGE)))
    code, _, err = run(*RESEAL[:-1], "../strange.yaml", "--accept-certificate")
    assert code == 1, err
    assert (path.read_bytes(), of_values.read_bytes()) == before

    code, out, err = run(*RESEAL, "--accept-certificate")
    assert code == 0, err
    assert out.split() == ["auth", "URL", "auth", "A", "auth", "B"]
    assert path.read_bytes().count(value.encode()) == 0
    assert of_values.read_bytes() != before[1]


def test_certificate_that_the_values_remember_counts_for_templates_as_well(
    shop: Path, run: Run
) -> None:
    (shop.parent / "former.pem").write_bytes(CERTIFICATES["former"])
    (shop.parent / "auth.env").write_text("URL=c4n4ry\n")
    seal = ("seal", "auth", "--env", "dev", "--certificate", "../former.pem")
    assert run(*seal, "--from-env-file", "../auth.env")[0] == 0
    assert run(*seal[:-2], "--remove", "URL")[0] == 0
    path = template(shop, OBJECT.partition("\n")[2] + f"    A: {sealed('c4n4ry', HERE)}\n")
    before = path.read_bytes()
    code, _, err = run(*RESEAL)
    assert code == 5, err
    assert path.read_bytes() == before
    assert run(*RESEAL, "--accept-certificate")[0] == 0


def test_longer_values_are_put_where_the_shorter_were() -> None:
    from hanbae.planning import sealed_templates

    values = {key: sealed(f"c4n4ry {key}", HERE) for key in "ABC"}
    text = "".join(f"{key}: {value} # {key}\n" for key, value in values.items())
    changes = [(key, value, f"{key}longer{value}") for key, value in values.items()]
    expected = "".join(f"{key}: {after} # {key}\n" for key, _, after in changes)
    assert sealed_templates.spliced(text, "a.yaml", changes) == expected
    with pytest.raises(errors.Refused, match="changed-meanwhile") as refused:
        sealed_templates.spliced("a: b\nA: other\n", "a.yaml", changes[:1])
    assert refused.value.place == subjects.Place("a.yaml", 2)


def test_scope_that_the_annotations_do_not_say_is_named(shop: Path, run: Run) -> None:
    value = sealed("c4n4ry", "services-dev")
    path = template(shop, OBJECT.partition("\n")[2] + f"    A: {value}\n")
    before = path.read_bytes()
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 1
    assert (
        "is sealed namespace-wide, but the annotations of its SealedSecret say strict"
        in " ".join(err.split())
    )
    assert path.read_bytes() == before


def test_value_that_another_cluster_opens_as_well_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git")
    new_service.new_service(root, "auth")
    (tmp_path / "keys.yaml").write_text(backup(("former", FORMER), ("newest", NEWEST)))
    monkeypatch.chdir(root)
    value = sealed("c4n4ry", "services/auth-own")
    path = template(root, OBJECT.partition("\n")[2] + f"    A: {value}\n")
    before = path.read_bytes()
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 5, err
    assert "services/auth/helm/templates/kept.yaml:8" in err
    assert "which is in another cluster" in " ".join(err.split())
    assert path.read_bytes() == before

    # Where dev is nobody knows: it may be the same cluster.
    with values.editing(root / "hanbae.yaml", "hanbae.yaml") as policy:
        policy.remove([("environments", "dev", "control")])
    code, _, err = run(*RESEAL, "--accept-certificate")
    assert code == 0, err
    assert path.read_bytes() != before


def test_linked_template_is_not_written_through(shop: Path, run: Run, tmp_path: Path) -> None:
    value = sealed("c4n4ry", HERE)
    path = template(shop, OBJECT.partition("\n")[2] + f"    A: {value}\n")
    target = shop / "services/auth/elsewhere.yaml"
    path.rename(target)
    path.symlink_to(target)
    before = target.read_bytes()
    code, _, _ = run(*RESEAL, "--accept-certificate")
    assert code == 2
    assert target.read_bytes() == before


Edit = Callable[[str], str]


@pytest.mark.parametrize("spelled", [lambda text: text + "A", lambda text: "A" + text])
def test_text_that_only_begins_or_ends_as_a_value_is_another(spelled: Edit) -> None:
    from hanbae.planning import sealed_templates

    value = sealed("c4n4ry", HERE)
    assert sealed_templates.spans(f"A: {value}\n", value) == [(3, 3 + len(value))]
    assert sealed_templates.spans(f"A: {spelled(value)}\n", value) == []


@pytest.mark.parametrize(("keys", "code"), [("former", 0), ("newest", 1)])
def test_a_backup_is_tried_on_the_values_of_templates(
    shop: Path, run: Run, keys: str, code: int
) -> None:
    own = {"former": FORMER, "newest": NEWEST}[keys]
    (shop.parent / "keys.yaml").write_text(backup((keys, own)))
    values = [sealed("c4n4ry", HERE), sealed("c4n4ry", "services-dev")]
    template(
        shop,
        '{{- if eq .Release.Namespace "services-dev" }}\n'
        + OBJECT.partition("\n")[2]
        + f"    A: {values[0]}\n---\n"
        + "{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: wide, "
        + "annotations: {sealedsecrets.bitnami.com/namespace-wide: 'true'}}, "
        + f"spec: {{encryptedData: {{W: '{values[1]}'}}}}}}\n"
        + "{{- end }}\n",
    )
    verify = ("backup", "verify", "../keys.yaml", "--output", "json")
    ended, out, err = run(*verify)
    assert ended == code, err
    rows = {row["key"]: row for row in json.loads(out)["values"]}
    assert {row["opened"] for row in rows.values()} == {code == 0}
    assert sorted(rows) == ["A", "W"]
    assert rows["A"]["file"] == "services/auth/helm/templates/kept.yaml"
    assert run(*verify, "--env", "staging")[0] == 2  # nothing is sealed there


@pytest.mark.parametrize("fault", ["template", "chart"])
def test_a_chart_that_does_not_render_keeps_no_backup_from_being_tried(
    shop: Path, run: Run, fault: str
) -> None:
    new_service.new_service(shop, "identity")
    chart = shop / "services/identity/helm"
    (chart / "templates/kept.yaml").write_text('kind: SealedSecret\n{{ fail "no" }}\n')
    if fault == "chart":
        (chart / "Chart.yaml").write_text("apiVersion: [\n")
    value = sealed("c4n4ry", HERE)
    template(
        shop,
        '{{- if eq .Release.Namespace "services-dev" }}\n'
        + OBJECT.partition("\n")[2]
        + f"    A: {value}\n{{{{- end }}}}\n",
    )
    code, out, err = run("backup", "verify", "../keys.yaml", "--output", "json")
    assert code == 2, err
    assert [(row["key"], row["opened"]) for row in json.loads(out)["values"]] == [("A", True)]
    broken = "templates/kept.yaml" if fault == "template" else "Chart.yaml"
    assert f"services/identity/helm/{broken}:" in err
    assert "that could be read" in err
    assert run("backup", "verify", "../keys.yaml", "auth")[0] == 0
