"""Findings as JUnit XML: a suite for each service, a case for each finding, a failure where it is grave enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hanbae.cli import reports
from hanbae.cli.text import escaping
from hanbae.results import findings

if TYPE_CHECKING:
    from hanbae.actions import check


def render(report: reports.Report) -> str:
    """The document. A service without findings has one case, which passes."""
    root = ET.Element("testsuites", name="hanbae check")
    cases = failures = 0
    # The empty name is for findings that belong to no service, such as those about the policy.
    for name in ("", *report.result.services, *_other(report)):
        suite = _suite(report, name)
        root.append(suite)
        cases += int(suite.get("tests", "0"))
        failures += int(suite.get("failures", "0"))
    root.attrib |= {"tests": str(cases), "failures": str(failures), "errors": "0"}
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _other(report: reports.Report) -> Iterator[str]:
    """Services that findings speak of although they were not chosen."""
    services = {"", *report.result.services}
    for finding in report.result.findings:
        if finding.service not in services:
            services.add(finding.service)
            yield finding.service


def _suite(report: reports.Report, service: str) -> ET.Element:
    result = report.result
    findings_ = [finding for finding in result.findings if finding.service == service]
    accepted = [
        acceptance for acceptance in result.accepted if acceptance.finding.service == service
    ]
    failed = [finding for finding in findings_ if report.fails(finding)]
    name = escaping.plain(service) or "hanbae.yaml"
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(findings_) + len(accepted) or 1),
        failures=str(len(failed)),
        errors="0",
        skipped=str(len(accepted)),
    )
    for finding in findings_:
        case = _case(suite, finding, result.about[finding.code])
        text = _text(finding)
        if report.fails(finding):
            message = escaping.sentence(finding.text)
            ET.SubElement(case, "failure", type=finding.code, message=message).text = text
        else:
            ET.SubElement(case, "system-out").text = text
    for acceptance in accepted:
        ET.SubElement(
            _case(suite, acceptance.finding, result.about[acceptance.finding.code]),
            "skipped",
            message=escaping.plain(acceptance.reason or acceptance.by),
        )
    if not findings_ and not accepted:
        ET.SubElement(suite, "testcase", name="check", classname=name)
    return suite


def _case(suite: ET.Element, finding: findings.Finding, about: check.About) -> ET.Element:
    title = escaping.general(about.title)
    where = escaping.plain(str(finding.place))
    return ET.SubElement(
        suite,
        "testcase",
        name=f"{finding.code} {title} ({where})",
        classname=escaping.plain(finding.place.file),
    )


def _text(finding: findings.Finding) -> str:
    parts = [f"{finding.severity} {finding.code} {escaping.plain(str(finding.place))}"]
    parts.append(escaping.sentence(finding.text))
    if finding.environments:
        parts.append(escaping.plain(", ".join(finding.environments)))
    if finding.fix is not None:
        parts.append(escaping.sentence(finding.fix))
    return "\n".join(parts)
