"""goose's table of versions is up to date in every database, as goose itself says."""

from __future__ import annotations

from hanbae import wording
from hanbae.gates import targets, verdicts


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether every database was proven to have exactly the migrations of the commit."""
    proofs = list(target.proofs)
    if not proofs:
        return verdicts.passed("gate.no-migrations")
    proven = {fact.database: fact for fact in target.proved}
    refuted = target.refuted
    judged = []
    for proof in proofs:
        fact = proven.get(proof.database)
        if proof.database in refuted:
            text: wording.Text = refuted[proof.database]
            judged.append(verdicts.Verdict(reasons=(text,)))
        elif fact is None:
            judged.append(verdicts.undecided("gate.unproven", database=proof.database))
        else:
            judged.append(
                verdicts.passed(
                    "gate.proven",
                    database=fact.database,
                    version=str(fact.version),
                    files=str(fact.files),
                    applied=", ".join(fact.names) or "-",
                )
            )
            # It has the migrations; whether it may stay as it is otherwise, a person says.
            judged.append(verdicts.Verdict(fact.unheard, unseen=fact.drifted))
    return verdicts.joined(*judged)
