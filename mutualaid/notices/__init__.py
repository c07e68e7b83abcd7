"""Telling members: the inbox of each, and a text message for what cannot wait."""
