"""Who helps whom: the most needs met, then the shortest way. Exact, in integers, without input or output.

    problem     needs and offers as columns, one row a line; items; what is barred
    plan        the answer: who gives how much to whom; totals by tier; a report
    legal       which rule bars a pair, told of one pair or of a million at once
    distances   whole metres between cells, the same as `kit.geo` tells them
    nodes       lines that are alike in everything a rule reads become one node
    parts       what cannot touch each other is solved apart
    network     the flow problem over nodes, and what proves a flow the best
    candidates  the nearest counterparts of each node
    solver      exact minimum-cost flow over nodes, checked by its own potentials; greedy when a solver fails
    pricing     whether a pair that was left out would better the plan; adds it until none does
    sharing     what flows between nodes, as quantities between lines
    tidying     the last pass: splits of no use
    sweep       all of it; `batch` is one lot of parts, `processing` the processes that solve them
    book        one more post: alternating paths (`residual`) from the prices that the last sweep left
    apart       the same in a process of its own, so that no serving process loads scipy or the solver

`problem`, `plan` and `apart` need numpy and nothing heavier; docs/matching.md states the problem and proves the rest.
"""
