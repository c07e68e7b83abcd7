"""Runs the migrations on the connection that `mutualaid.migrate` hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from mutualaid import tables
from mutualaid.kit.instants import Instant
from mutualaid.kit.spots import Spot
from mutualaid.kit.transactions import TransactionNumber


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Column types of our own are written by their names."""
    if kind == "type" and isinstance(item, Instant | Spot | TransactionNumber):
        name = type(item).__name__
        autogen_context.imports.add(f"from {type(item).__module__} import {name}")
        return f"{name}()"
    return False


connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables.METADATA,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
    transaction_per_migration=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
