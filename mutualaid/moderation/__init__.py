"""Moderation: cases that ask for a look, rulings that decide, the log of everything that was done.

cases.py      a case opens, others join it, a moderator claims it for ten minutes
actions.py    rulings on posts
standing.py   rulings on members: suspended, restored, vouched for
"""
