"""What the migrations of a database do, in sentences that every format shares."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae import wording
from hanbae.cli.text import escaping
from hanbae.results import migration_plans

_LONG = 0.05
"""Seconds below which work is a moment."""


def title(plan: migration_plans.Plan) -> str:
    """The service, the environment and the commit."""
    commit = plan.revision[:12]
    return escaping.plain(
        f"{plan.service} → {plan.environment}" + (f" ({commit})" if commit else "")
    )


def standing(database: migration_plans.Database) -> Iterator[str]:
    """Where a database stands, and what is not as it should be."""
    facts = {"database": database.name, "at": str(database.at), "files": str(database.files)}
    if database.pending is None:
        yield _sentence(f"migrations.unknown-{database.why_unknown or 'new'}", facts)
        return
    facts["pending"] = str(len(database.pending))
    yield _sentence(f"migrations.by-{database.basis}", facts)
    if database.overtaken:
        names = ", ".join(path.rpartition("/")[2] for path in database.overtaken)
        yield _sentence("migrations.overtaken", facts | {"names": names})
    if database.untracked:
        versions = ", ".join(map(str, database.untracked))
        yield _sentence("migrations.untracked", facts | {"versions": versions})
    if database.invalid:
        indexes = {"indexes": ", ".join(database.invalid), "index": database.invalid[0]}
        yield _sentence("migrations.invalid", facts | indexes)
    yield from map(escaping.sentence, database.drift)


def heading(pending: migration_plans.Pending) -> str:
    """A pending file: whether it runs in a transaction, and which way leads back."""
    transaction = "migrations.transaction" if pending.transaction else "migrations.no-transaction"
    name = pending.file.rpartition("/")[2]
    words = [name, _sentence(transaction, {}), _sentence(f"migrations.back-{pending.way_back}", {})]
    return " · ".join([escaping.plain(words[0]), *words[1:]])


def effect(impact: migration_plans.Impact) -> str:
    """What a statement does."""
    effect_ = impact.effect
    facts = {
        "table": effect_.table,
        "name": effect_.name or "-",
        "to": effect_.to,
        "words": effect_.words,
    }
    return _sentence(f"effect.{effect_.action}", facts)


def notice(impact: migration_plans.Impact) -> str:
    """What others notice of a statement; empty where they notice nothing."""
    effect_ = impact.effect
    if effect_.fails:
        return _sentence("migrations.fails", {"table": effect_.table, "name": effect_.name})
    if not effect_.lock:
        return ""
    facts = {"lock": effect_.lock, "table": effect_.table or effect_.name}
    parts = [_sentence(f"migrations.blocks-{impact.blocks}", facts), _duration(impact)]
    if impact.blocks in {"writes", "all"}:
        waits = "migrations.waits" if impact.timeout else "migrations.waits-for-ever"
        parts.append(_sentence(waits, {"timeout": impact.timeout}))
    return " ".join(filter(None, parts))


def _duration(impact: migration_plans.Impact) -> str:
    work = impact.effect.work
    if work == "catalog":
        return _sentence("migrations.lasts-catalog", {})
    if impact.seconds is None:
        return _sentence(f"migrations.lasts-{work}", {})
    rows = "?" if impact.rows is None else f"{impact.rows:,}"
    if impact.seconds < _LONG:
        return _sentence("migrations.lasts-moment", {"rows": rows})
    return _sentence("migrations.lasts-about", {"rows": rows, "seconds": f"{impact.seconds:.0f}"})


def unread(pending: migration_plans.Pending) -> str:
    """Why nothing is said of a file; empty where something is."""
    return escaping.sentence(pending.unread) if pending.unread is not None else ""


def _sentence(text_id: str, facts: dict[str, str]) -> str:
    return escaping.sentence(wording.Text(text_id, facts))
