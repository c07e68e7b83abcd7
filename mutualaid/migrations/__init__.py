"""Alembic's scripts, inside the package so that the installed wheel can migrate."""
