"""The applications that scripts/bench compares ours with: bare Starlette, and FastAPI + pydantic + SQLAlchemy's ORM."""
