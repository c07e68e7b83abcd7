"""What can be saved of a body that failed: the fields that are right, so that the rest of the checks can still speak."""

import types
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

M = TypeVar("M", bound=BaseModel)


def salvage(model: type[M], raw: dict[str, Any]) -> M:
    """`model` built without validation: each field of `raw` that is right by itself, None for each that is not.

    `model_fields_set` names the fields that were given, whether or not they were right.
    """
    values: dict[str, Any] = {}
    given = set()
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in raw:
            given.add(name)
            values[name] = _value(info.rebuild_annotation(), raw[key])
        else:
            values[name] = info.get_default(call_default_factory=True) if not info.is_required() else None
    return model.model_construct(_fields_set=given, **values)


def _value(annotation: Any, raw: Any) -> Any:
    plain = _bare(annotation)
    if isinstance(raw, dict) and _is_model(plain):
        return salvage(plain, raw)
    if isinstance(raw, list) and get_origin(plain) is list and _is_model(inner := _bare(get_args(plain)[0])):
        return [salvage(inner, entry) if isinstance(entry, dict) else None for entry in raw]
    try:
        return TypeAdapter(annotation).validate_python(raw, strict=True)
    except ValidationError:
        return None


def _bare(annotation: Any) -> Any:
    """The type itself, without its constraints and its `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (types.UnionType, Union):
        some = [option for option in get_args(annotation) if option is not type(None)]
        return _bare(some[0]) if len(some) == 1 else annotation
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
