"""What can be saved of a body that failed: the fields that are right, so that the rest of the checks can still speak."""

import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

M = TypeVar("M", bound=BaseModel)


def salvage(model: type[M], raw: dict[str, Any]) -> M:
    """`model` built without validation: each field of `raw` that is right by itself, None for each that is not."""
    values: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in raw:
            values[name] = _value(info.rebuild_annotation(), raw[key])
        else:
            values[name] = info.get_default(call_default_factory=True) if not info.is_required() else None
    return model.model_construct(**values)


def _value(annotation: Any, raw: Any) -> Any:
    plain = typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation
    if isinstance(raw, dict) and (inner := _model_in(plain)) is not None:
        return salvage(inner, raw)
    if isinstance(raw, list) and (inner := _model_in(*typing.get_args(plain))) is not None:
        return [salvage(inner, item) if isinstance(item, dict) else None for item in raw]
    try:
        return TypeAdapter(annotation).validate_python(raw, strict=True)
    except ValidationError:
        return None


def _model_in(*annotations: Any) -> type[BaseModel] | None:
    for annotation in annotations:
        options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        for option in options:
            if isinstance(option, type) and issubclass(option, BaseModel):
                return option
    return None
