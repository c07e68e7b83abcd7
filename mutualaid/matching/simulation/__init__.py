"""A seeded city run for days against policies: what a way of matching is worth. It reads and writes nothing.

    parameters  what the city is like; sources in docs/matching.md
    coins       chances by person and event: the same for every policy
    city        who posts what, where and when
    people      what they answer, whether they come, when they look through the plaza
    house       posts, matches and what follows, event by event
    ours        what the worker thinks with: repair round a post, the engine's sweep every hour (`columns`: as it is asked)
    others      greedy nearest; the plaza alone
    clairvoyant the most that could be met
    figures     what is counted; `running`: many seeds, what they show; `telling`, `pictures`: the same to look at

It loads the engine and the solver: it is for a command, never for a process that serves.
"""
