"""Needs and offers, and the plaza where they are read."""
