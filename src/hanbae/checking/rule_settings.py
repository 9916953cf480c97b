"""What the policy's ``rules:`` and its profile make of findings: another severity, or none at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from hanbae import errors, subjects
from hanbae.checking import acceptance
from hanbae.policy import documents, globs, loading
from hanbae.results import findings
from hanbae.rules import own, rulebook


class Setting(Struct, frozen=True):
    """An entry of ``rules:`` about a rule that there is.

    Attributes:
        entry: The entry.
        place: Where it stands.
    """

    entry: documents.RuleSetting
    place: subjects.Place

    def concerns(self, finding: findings.Finding) -> bool:
        """Whether it is about a finding."""
        services, paths = self.entry.services, self.entry.paths
        return (not services or finding.service in services) and (
            not paths or any(globs.matches(path, finding.place.file) for path in paths)
        )


def codes(policy: documents.Policy) -> tuple[str, ...]:
    """The codes of all rules that there are: hanbae's, and those of a policy."""
    own_codes = (f"{rulebook.OWN}{rule.id}" for rule in policy.own_rules.values())
    return (*rulebook.rules(), *own_codes)


def require_codes(policy: documents.Policy, places: Mapping[str, subjects.Place]) -> None:
    """Refuse a policy that speaks of a rule that there is not.

    Raises:
        errors.FileFault: The first such code, with the one that was meant most likely.
    """
    rule_codes = codes(policy)
    for number, entry in policy.rule_settings.items():
        if entry.code not in rule_codes:
            place = places.get(f"rules[{number}].code", subjects.Place(loading.NAME))
            near = acceptance.nearest(entry.code, rule_codes)
            raise errors.FileFault("policy.no-rule", place=place, code=entry.code, near=near)


class Settings:
    """The settings of a policy.

    Args:
        policy: The policy that counts.
        places: Where its keys stand.
    """

    def __init__(self, policy: documents.Policy, places: Mapping[str, subjects.Place]) -> None:
        self._profile = policy.profile
        self._by_code: dict[str, list[Setting]] = {}
        for number, entry in policy.rule_settings.items():
            place = places.get(f"rules[{number}].code", subjects.Place(loading.NAME))
            self._by_code.setdefault(entry.code, []).append(Setting(entry, place))

    def of(self, finding: findings.Finding) -> Setting | None:
        """The setting that decides about a finding, which is the last one in the file that concerns it."""
        settings = reversed(self._by_code.get(finding.code, []))
        return next((setting for setting in settings if setting.concerns(finding)), None)

    def unsought(self) -> Iterator[str]:
        """Codes whose findings may be left out, so that what accepts them as well is not called useless."""
        for code, rule in rulebook.rules().items():
            entries = [setting.entry for setting in self._by_code.get(code, [])]
            if any(entry.severity == "off" for entry in entries) or not self._in_profile(rule):
                yield code

    def applied(
        self, collected: Iterable[findings.Finding]
    ) -> tuple[list[findings.Finding], list[findings.Accepted]]:
        """The findings that are left, as grave as the policy says, and those that it has switched off."""
        rules = rulebook.rules()
        open_findings, off = [], []
        for finding in collected:
            setting = self.of(finding)
            if setting is None:
                rule = rules.get(finding.code)  # None for a rule of the team's own
                if rule is None or self._in_profile(rule):
                    open_findings.append(finding)
            elif setting.entry.severity == "off":
                reason = setting.entry.reason
                off.append(findings.Accepted(finding, "policy", reason, setting.place))
            else:
                open_findings.append(
                    msgspec.structs.replace(finding, severity=setting.entry.severity)
                )
        return open_findings, off

    def _in_profile(self, rule: rulebook.Rule) -> bool:
        return own.in_profile(rule, self._profile)
