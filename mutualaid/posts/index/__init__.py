"""The plaza in memory, in each serving process: columns of numbers, exact to the last commit, never the truth.

    follower    reads the database's feed of changes, keeps the index in step, builds it anew off the loop
    feed        which posts have changed since a place in the feed, and how they stand now: SQLite, PostgreSQL
    standing    an index: a base that never changes, what came since, and the orders over both
    search      newest, urgent over the base's sorted columns
    nearest     the nearest over its cells
    circles     cells round a viewer's, as measured before
    runs        a column of posts cell by cell, and which cells lie near or in a region
    base        the sorted columns, and how they are built
    tail        what came since, in columns that grow
    places      cells as numbers, distances between them in whole metres

A reader first catches up with the feed, and so sees every commit made before the question: one's own, and everybody's.
Where that is not possible, or memory is tight, the plaza is read by SQL as if this did not exist.
"""
