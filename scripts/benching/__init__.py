"""What scripts/bench does.

    command     its arguments; goes through sets and sizes
    towns       synthetic posts from one seed: the spread set, one hot city
    home        where loaded databases lie, for one run or kept for the next
    loading     posts by the ten thousand into an empty database
    people      members who are signed in and may post, for both sides
    questions   what readers of the plaza ask
    truth       the right answers, by brute force over arrays
    ways        who answers: the plaza's functions on each database, and what stands beside them
    nearest     how long each way takes, and whether it is right
    serving     one uvicorn worker on a core of its own
    driving     a load generator on another core
    web         requests a second of the whole stack beside bare Starlette and FastAPI, in rounds
    matching    the matching engine: its markets, sizes and parts
    markets     needs and offers as columns, from one seed
    sweeps      the whole sweep, and one post more at a time
    rivals      greedy and other libraries on the same graph
    report      medians, ratios, slopes; the table and the file of figures
    contacts    masked numbers: the parts below, and any that join them
    leases      leases a second, and the decision before a call, on each database
    calling     calls through our own telephony: what asking adds to their set-up, how many a second are clean
    half_static a switchboard that asks about half of its calls only

The applications that ours is compared with stand in tests/bench.
"""
