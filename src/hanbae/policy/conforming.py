"""Holds a tree of YAML nodes against the policy's types, and says in which key, and how, they part.

msgspec validates too, but its errors name neither the key inside a mapping nor a place; so the walk is ours and the
conversion is msgspec's.
The walk reads the types' own annotations: a field that is added to :mod:`hanbae.policy.documents` needs nothing here.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec

from hanbae import errors
from hanbae.policy import documents, forms, nodes

_MISFITS: Final[dict[Any, str]] = {
    documents.Name: "policy.not-a-name",
    documents.Duration: "policy.not-a-duration",
    documents.Patience: "policy.not-a-duration",
    forms.Suffix: "policy.not-a-suffix",
    forms.Kinds: "policy.not-a-kind",
    forms.Expression: "policy.not-an-expression",
    forms.RuleCode: "policy.not-a-code",
    forms.Reason: "policy.no-reason",
    forms.Pattern: "policy.not-a-pattern",
    forms.KubernetesVersion: "policy.not-a-version",
    forms.ApiVersion: "policy.not-an-api-version",
    forms.UrlPath: "policy.not-a-url-path",
    forms.Day: "policy.not-a-day",
    forms.Cron: "policy.not-a-schedule",
    forms.Zone: "policy.not-a-zone",
    forms.Store: "policy.not-a-store",
    forms.Entry: "policy.not-an-entry",
}


def conform(node: nodes.Node, kind: Any) -> Any:
    """A node as plain data of a type.

    Args:
        node: The value.
        kind: A type annotation as :mod:`hanbae.policy.documents` uses them: a struct, ``dict``, ``tuple[X, ...]``,
            ``Literal``, ``X | None``, ``str``, ``int``, ``bool``, or one of them with ``Meta``.

    Raises:
        errors.FileFault: It is not of that type.
    """
    bare = _bare(kind)
    origin = get_origin(bare)
    if origin is types.UnionType or origin is typing.Union:
        return _union(node, get_args(bare))
    if origin is Literal:
        return _choice(node, get_args(bare))
    if origin is dict:
        return _mapping(node, *get_args(bare))
    if origin is tuple:
        if not isinstance(node.value, tuple):
            raise _fault("policy.expected-list", node)
        return [conform(item, get_args(bare)[0]) for item in node.value]
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return _struct(node, bare)
    return _scalar(node, bare, kind)


def _union(node: nodes.Node, options: tuple[Any, ...]) -> Any:
    """Of several types a list is held against that of lists, anything else against the others."""
    if node.value is None and types.NoneType in options:
        return None
    kinds = [option for option in options if option is not types.NoneType]
    lists = [kind for kind in kinds if get_origin(_bare(kind)) is tuple]
    if lists and isinstance(node.value, tuple):
        return conform(node, lists[0])
    others = [kind for kind in kinds if kind not in lists]
    return _form(node, others) if len(others) > 1 else conform(node, others[0])


def _struct(node: nodes.Node, kind: type[msgspec.Struct]) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        raise _fault("policy.expected-mapping", node)
    fields = _fields(kind)
    for key, entry in node.value.items():
        if key not in fields:
            raise _unknown(entry, key, node.path, list(fields))
    for name, (_, required) in fields.items():
        if required and name not in node.value:
            path = f"{node.path}.{name}" if node.path else name
            raise errors.FileFault("policy.missing-key", place=node.place, key=path)
    # In the types' order, not the file's: `version` speaks first, whatever else is wrong.
    return {
        name: conform(node.value[name].node, annotation)
        for name, (annotation, _) in fields.items()
        if name in node.value
    }


def _form(node: nodes.Node, forms: list[type[msgspec.Struct]]) -> dict[str, Any]:
    """A mapping of the form whose first field it has, with the tag by which msgspec knows the form."""
    if not isinstance(node.value, dict):
        raise _fault("policy.expected-mapping", node)
    keys = [next(iter(_fields(form))) for form in forms]
    for key, form in zip(keys, forms, strict=True):
        if key in node.value:
            config = form.__struct_config__
            return {str(config.tag_field): config.tag, **_struct(node, form)}
    raise _fault("policy.no-form", node, keys=", ".join(keys))


def _mapping(node: nodes.Node, key_kind: Any, value_kind: Any) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        raise _fault("policy.expected-mapping", node)
    for key, entry in node.value.items():
        if not _fits(key, key_kind):
            raise errors.FileFault("policy.not-a-name", place=entry.place, key=node.path, value=key)
    return {key: conform(entry.node, value_kind) for key, entry in node.value.items()}


def _choice(node: nodes.Node, allowed: tuple[Any, ...]) -> Any:
    # 1 and True are equal to Python, not to a reader of the file.
    if any(node.value == value and type(node.value) is type(value) for value in allowed):
        return node.value
    listed = ", ".join(str(value) for value in allowed)
    if node.path == "version":
        raise _fault("policy.unknown-version", node, allowed=listed)
    raise _fault("policy.not-one-of", node, allowed=listed)


def _scalar(node: nodes.Node, bare: Any, kind: Any) -> Any:
    if bare is bool and not isinstance(node.value, bool):
        raise _fault("policy.expected-truth", node)
    if bare is int and (not isinstance(node.value, int) or isinstance(node.value, bool)):
        raise _fault("policy.expected-number", node)
    if bare is str and not isinstance(node.value, str):
        raise _fault("policy.expected-text", node)
    if not _fits(node.value, kind):
        raise _fault(_MISFITS.get(kind, "policy.out-of-range"), node)
    return node.value


def _fits(value: Any, kind: Any) -> bool:
    """Whether a scalar fulfils its ``Meta``."""
    if isinstance(value, str) and kind is not str and not value.isprintable():
        return False  # `$` in a pattern forgives a newline at the end
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _unknown(entry: nodes.Entry, key: str, path: str, keys: list[str]) -> errors.FileFault:
    facts = {"key": key, "inside": path or "hanbae.yaml", "known": ", ".join(keys)}
    import difflib  # only for a mistake

    near = difflib.get_close_matches(key.lower().replace("-", "_"), keys, n=1)
    if near:
        return errors.FileFault(
            "policy.unknown-key-near", place=entry.place, nearest=near[0], **facts
        )
    return errors.FileFault("policy.unknown-key", place=entry.place, **facts)


def _fault(text_id: str, node: nodes.Node, **facts: str) -> errors.FileFault:
    return errors.FileFault(
        text_id, place=node.place, key=node.path or "hanbae.yaml", value=_shown(node.value), **facts
    )


def _shown(value: Any) -> str:
    """A value as the file would spell it; mappings and lists by their kind only."""
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, tuple):
        return "[…]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)[:80]


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, bool]]:
    """Field → annotation, and whether it must be there; required ones first, as the struct has them."""
    hints = typing.get_type_hints(kind, include_extras=True)
    names, defaults = kind.__struct_fields__, kind.__struct_defaults__
    # `msgspec.structs.fields` would work the annotations out once more.
    required = [msgspec.NODEFAULT] * (len(names) - len(defaults))
    return {
        name: (hints[name], default is msgspec.NODEFAULT)
        for name, default in zip(names, (*required, *defaults), strict=True)
    }
