"""Excerpts of the descriptions that Discord and Slack publish: what hanbae sends, and the answers that it reads.

``python tools/chats/excerpt.py DISCORD SLACK`` writes ``tests/data/chats``. DISCORD is ``specs/openapi.json`` of
https://github.com/discord/discord-api-spec, SLACK is ``web-api/slack_web_openapi_v2.json`` of
https://github.com/slackapi/slack-api-specs. Nothing in an excerpt is written by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "tests/data/chats"
WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
DISCORD: dict[str, Any] = {
    "source": "specs/openapi.json of discord/discord-api-spec at 74fda0f: of each operation its query and the"
    " properties of its body that hanbae sends, with their schemas; the answer is in the form of its response",
    "operations": {
        f"POST {WEBHOOK}": ("post", WEBHOOK),
        f"PATCH {WEBHOOK}/messages/{{message_id}}": ("patch", f"{WEBHOOK}/messages/{{message_id}}"),
    },
    "sent": ("content", "flags", "allowed_mentions"),
}
SLACK: dict[str, Any] = {
    "source": "web-api/slack_web_openapi_v2.json of slackapi/slack-api-specs at bc08db4: of each operation all fields"
    " of its form, its codes of errors and its example of an answer",
    "operations": ("chat.postMessage", "chat.update"),
}


def discord(published: dict[str, Any]) -> dict[str, Any]:
    """The excerpt of Discord's description."""
    schemas = published["components"]["schemas"]
    operations = {}
    for name, (method, path) in DISCORD["operations"].items():
        described = published["paths"][path]
        operation = described[method]
        parameters = [*operation.get("parameters", ()), *described.get("parameters", ())]
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        forms = [resolved(form, schemas) for form in body.get("anyOf", [body])]
        sent = [
            {key: form["properties"][key] for key in DISCORD["sent"]}
            for form in forms
            if all(key in form["properties"] for key in DISCORD["sent"])
        ]
        operations[name] = {
            "query": {
                parameter["name"]: resolved(parameter["schema"], schemas)
                for parameter in parameters
                if parameter["in"] == "query"
            },
            "body": {"type": "object", "properties": sent[0]},
            "status": 200,
            "answer": {"id": "17"},
        }
    return {"source": DISCORD["source"], "operations": operations}


def slack(published: dict[str, Any]) -> dict[str, Any]:
    """The excerpt of Slack's description."""
    operations = {}
    for method in SLACK["operations"]:
        operation = published["paths"][f"/{method}"]["post"]
        fields = [entry for entry in operation["parameters"] if entry["in"] == "formData"]
        failed = operation["responses"]["default"]["schema"]["properties"]["error"]
        operations[f"POST /{method}"] = {
            "query": {},
            "body": {
                "type": "object",
                "required": [entry["name"] for entry in fields if entry.get("required")],
                "properties": {entry["name"]: in_form(entry["type"]) for entry in fields},
            },
            "status": 200,
            "answer": operation["responses"]["200"]["examples"]["application/json"],
            "errors": failed["enum"],
        }
    return {"source": SLACK["source"], "operations": operations}


def in_form(kind: str) -> dict[str, Any]:
    """The schema of a value as a form has it: all of it is text."""
    return {"enum": ["true", "false"]} if kind == "boolean" else {"type": kind}


def resolved(schema: Any, schemas: dict[str, Any]) -> Any:
    """A schema with those that it refers to in their places, and without descriptions."""
    if isinstance(schema, list):
        return [resolved(entry, schemas) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return {
        key: resolved(entry, schemas)
        for key, entry in schema.items()
        if key not in {"description", "title"} or not isinstance(entry, str)
    }


def main(paths: list[str]) -> None:
    """Write both."""
    for name, path, excerpt in zip(("discord", "slack"), paths, (discord, slack), strict=True):
        document = excerpt(json.loads(Path(path).read_text()))
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
