"""Lists of any length in a statement, as one parameter: databases take some ten thousands of parameters and no more."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Listed(FunctionElement[str]):
    """The rows of its one argument, a JSON list of texts."""

    type = String()
    inherit_cache = True


@compiles(_Listed, "postgresql")
def _postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json)))"


@compiles(_Listed, "sqlite")
def _sqlite(element: Any, compiler: Any, **options: Any) -> str:
    told = compiler.process(element.clauses, **options)
    return f"(SELECT value FROM json_each({told}))"  # noqa: S608 — a compiled parameter, never what somebody wrote


def among(column: Any, texts: Iterable[str]) -> ColumnElement[bool]:
    """Whether the column's text is one of these; false for an empty list."""
    told = bindparam(None, json.dumps(list(texts)), type_=String())
    found: ColumnElement[bool] = column.bool_op("IN")(_Listed(told))
    return found
