"""PostgreSQL's own numbers of transactions, as a column."""

from typing import Any

from sqlalchemy import Dialect, String
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType


class Xid8(UserDefinedType[str]):
    """Grows for ever; which of them a reader has seen, `pg_current_snapshot()` tells."""

    cache_ok = True

    def get_col_spec(self, **_kw: Any) -> str:
        return "XID8"


ischema_names["xid8"] = Xid8


class TransactionNumber(TypeDecorator[str]):
    """`xid8` on PostgreSQL; on SQLite, which has one writer, a text that is never set."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Xid8() if dialect.name == "postgresql" else String())
