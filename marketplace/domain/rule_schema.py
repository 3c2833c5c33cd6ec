"""The shape of a rule set, its one way to be written down, and what is said when it is wrong."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

PRESET_FOLDER: Final = Path(__file__).with_name("rule_presets")
SCHEMA_FILES: Final = {
    1: PRESET_FOLDER / "schema.json",
    2: PRESET_FOLDER / "schema_form_2.json",
}

DEPTH_MAX: Final = 20

REMEDIES: Final[Mapping[str, str]] = {
    "additionalProperties": "remove the key, or correct its spelling",
    "required": "add the key",
    "enum": "use one of the values named",
    "type": "use the type named; amounts and prices are whole micro-units",
    "pattern": "write it in the form the schema asks for",
    "not": "leave out control characters",
}


class RulesInvalid(ValueError):
    """A rule set that cannot be used: ``path`` says where, the text what is wrong, what to do."""

    def __init__(self, path: str, what: str, remedy: str) -> None:
        super().__init__(f"{path or 'rule set'}: {what}; {remedy}")
        self.path = path
        self.what = what
        self.remedy = remedy


def check_depth(document: object) -> None:
    """Refuse what no rule set is as deep as, before anything walks down into it.

    Raises
    ------
    RulesInvalid
        If lists and objects stand in one another more often than in any rule set.
    """
    level: list[object] = [document]
    for _ in range(DEPTH_MAX):
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise RulesInvalid("", f"it is more than {DEPTH_MAX} levels deep", "take a preset as a model")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def canonical_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the one way to write a document down: sorted keys, no blanks, UTF-8, integers only.

    Raises
    ------
    RulesInvalid
        If the document holds a fraction, or anything that is not JSON.
    """
    check_depth(document)
    for path, value in _leaves(document, ""):
        if isinstance(value, float):
            raise RulesInvalid(path, f"{value!r} has a fraction point", "write a whole number")
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise RulesInvalid("", str(error), "write the rule set as plain JSON") from error


def rules_hash(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_bytes(document)).hexdigest()


def form_of(document: Mapping[str, Any]) -> int:
    """Return the form of a document: rule sets of form 1 do not say so.

    Raises
    ------
    RulesInvalid
        If it names a form that this hall does not know.
    """
    form = document.get("form", 1)
    if "form" in document and form != 2:
        raise RulesInvalid("form", f"{form!r} is no form", "write 2, or leave the key out")
    return int(form)


@cache
def rules_schema(form: int) -> dict[str, Any]:
    """Return the JSON schema of a form of rule sets."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILES[1].read_text(encoding="utf-8"))
    if form == 1:
        return schema
    more = json.loads(SCHEMA_FILES[form].read_text(encoding="utf-8"))
    return {
        **schema,
        "required": schema["required"] + more["required"],
        "properties": schema["properties"] | more["properties"],
        "allOf": more["allOf"],
        "$defs": schema["$defs"] | more["$defs"],
    }


@cache
def _validator(form: int) -> Draft202012Validator:
    Draft202012Validator.check_schema(rules_schema(form))
    return Draft202012Validator(rules_schema(form))


def check_schema(document: Mapping[str, Any]) -> None:
    """Refuse a document that has not the shape of its form.

    Raises
    ------
    RulesInvalid
        With the place of what is wrong, and the remedy.
    """
    form = form_of(document)
    error: ValidationError | None = best_match(_validator(form).iter_errors(document))
    if error is None:
        return
    path = error.json_path.removeprefix("$").removeprefix(".")
    # The library quotes the whole offending value; a reader needs only enough to find it.
    what = error.message if len(error.message) <= 200 else error.message[:197] + "..."
    remedy = REMEDIES.get(str(error.validator), "change it to fit the schema of rule sets")
    raise RulesInvalid(path, what, remedy)


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise RulesInvalid(path, f"the key {key!r} is not text", "put it in quotes")
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value
