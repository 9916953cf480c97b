from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import errors
from hanbae.sealing import backups, secret_manifests

FAULTS = [
    "kind: ConfigMap\ndata: {A: YQ==}\n",
    "kind: Secret\ndata: {A: 'c4n4ry!'}\n",
    "kind: Secret\ndata: {'A B': YQ==}\n",
    "kind: Secret\nstringData: {A: 1}\n",
    "kind: Secret\ndata: [A]\n",
    "kind: Secret\n---\nkind: Secret\n",
    "kind: Secret\ntype: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{}'}\n",
    "c4n4ry: [",
    "",
]


@pytest.mark.parametrize("text", FAULTS)
def test_what_kubernetes_would_refuse_is_a_fault_without_its_value(text: str) -> None:
    with pytest.raises(errors.FileFault) as caught:
        secret_manifests.parse(text.encode(), "x.yaml")
    assert "c4n4ry" not in str(caught.value)


def test_string_data_wins() -> None:
    secret = secret_manifests.parse(b"kind: Secret\ndata: {A: YQ==}\nstringData: {A: b}\n", "x")
    assert {key: value.unmask() for key, value in secret.values.items()} == {"A": b"b"}


@given(st.binary(max_size=200))
def test_anything_is_read_or_is_a_fault(data: bytes) -> None:
    for read in (secret_manifests.parse, secret_manifests.of_sops, backups.parse):
        places = []
        try:
            read(data, "x")
        except errors.FileFault as fault:
            places.append(str(fault.place).partition(":")[0])
        assert places in ([], ["x"])
