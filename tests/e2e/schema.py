# SPDX-License-Identifier: MIT
"""schema.py - do documents say what their schema says, no more and no less? SCHEMA FILE..."""
import json
import sys

from jsonschema import Draft202012Validator


def objects(node, where="the schema"):
    """All objects that the schema describes."""
    if isinstance(node, dict):
        if "properties" in node:
            yield where, node
        for key, value in node.items():
            yield from objects(value, f"{where}/{key}")


def undocumented(schema):
    """Members that may be missing, or stand without a word: a schema of ours has none."""
    for where, node in objects(schema):
        members = node["properties"]
        if node["additionalProperties"] is not False or set(node["required"]) != set(members):
            yield f"{where}: 'required' is not all of 'properties'"
        for name, member in members.items():
            if not member.get("description"):
                yield f"{where}/{name}: no description"


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        schema = json.load(f)
    Draft202012Validator.check_schema(schema)
    wrong = list(undocumented(schema))
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as f:
            errors = Draft202012Validator(schema).iter_errors(json.load(f))
        wrong += [f"{path}: {e.json_path}: {e.message}" for e in errors]
    print("\n".join(wrong[:20]) or f"{len(sys.argv) - 2} as {sys.argv[1]} has it")
    sys.exit(bool(wrong))


main()
