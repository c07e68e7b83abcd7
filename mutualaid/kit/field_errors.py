"""pydantic's findings in our words: a path, a stable code, a sentence that can be said in the reader's language."""

from typing import Any

from pydantic import ValidationError

from mutualaid.kit.errors import FieldError
from mutualaid.kit.texts import N_

_WORDS: dict[str, tuple[str, str]] = {
    "missing": ("required", N_("Please fill this in.")),
    "extra_forbidden": ("unknown_field", N_("This field is not known here.")),
    "greater_than_equal": ("too_small", N_("At least {ge}.")),
    "greater_than": ("too_small", N_("More than {gt}.")),
    "less_than_equal": ("too_large", N_("At most {le}.")),
    "less_than": ("too_large", N_("Less than {lt}.")),
    "string_too_long": ("too_long", N_("At most {max_length} characters.")),
    "string_too_short": ("too_short", N_("At least {min_length} characters.")),
    "too_long": ("too_many_entries", N_("At most {max_length} entries.")),
    "too_short": ("too_few_entries", N_("At least {min_length} entries.")),
    "literal_error": ("not_one_of", N_("Please choose one of: {expected}.")),
    "string_pattern_mismatch": ("wrong_form", N_("This has the wrong form.")),
    "int_type": ("not_an_integer", N_("Please give a whole number.")),
    "int_parsing": ("not_an_integer", N_("Please give a whole number.")),
    "int_from_float": ("not_an_integer", N_("Please give a whole number.")),
    "int_parsing_size": ("not_an_integer", N_("Please give a whole number.")),
    "float_type": ("not_a_number", N_("Please give a number.")),
    "float_parsing": ("not_a_number", N_("Please give a number.")),
    "finite_number": ("not_a_number", N_("Please give a number.")),
    "bool_type": ("not_true_or_false", N_("Please give true or false.")),
    "bool_parsing": ("not_true_or_false", N_("Please give true or false.")),
    "string_type": ("not_a_text", N_("Please give a text.")),
    "string_unicode": ("not_a_text", N_("Please give a text.")),
    "list_type": ("not_a_list", N_("Please give a list.")),
    "model_type": ("not_an_object", N_("Please send a JSON object.")),
    "model_attributes_type": ("not_an_object", N_("Please send a JSON object.")),
    "dict_type": ("not_an_object", N_("Please send a JSON object.")),
}


def field_errors(problem: ValidationError) -> list[FieldError]:
    """Every finding, in order. What was sent is never repeated back: it may be a phone or a name."""
    return [_field_error(e) for e in problem.errors(include_input=False, include_url=False)]


def _field_error(error: Any) -> FieldError:
    path = ".".join(map(str, error["loc"]))
    params: dict[str, object] = {k: v for k, v in error.get("ctx", {}).items() if isinstance(v, str | int | float)}
    if msgid := params.pop("msgid", None):  # a refusal of our own, see fields.refuse
        return FieldError(path, error["type"], str(msgid), params)
    if error["type"] in ("too_long", "too_short") and params.get("field_type") != "List":
        error = {**error, "type": f"string_{error['type']}"}
    if isinstance(options := params.get("expected"), str):  # "'a', 'b' or 'c'": the words of another language
        params["expected"] = options.replace("'", "").replace(" or ", ", ")
    code, text = _WORDS.get(error["type"], ("invalid_value", N_("This value cannot be used.")))
    return FieldError(path, code, text, params)
