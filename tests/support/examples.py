"""Whether an OpenAPI document shows an example of every answer, and each is what the answer's own schema allows."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from common.runtime.examples import UNNAMED


def answers(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every JSON answer of success, by its name."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if status.startswith("2") and content is not None:
                    yield f"{method} {path} {status}", content


def wrong_examples(document: Mapping[str, Any]) -> list[str]:
    """A sentence for each answer without an example, with one that does not fit, or with one that says nothing."""
    wrong = []
    for name, content in answers(document):
        if not content.get("example"):
            wrong.append(f"{name} has no example")
            continue
        schema = {**content["schema"], "components": document["components"]}
        wrong += [f"{name}: {error.message}" for error in Draft202012Validator(schema).iter_errors(content["example"])]
        if json.dumps(UNNAMED) in json.dumps(content["example"]):
            wrong.append(f"{name} has a text that nothing is known of: give its field an example")
    return wrong
