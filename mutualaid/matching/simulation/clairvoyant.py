"""The most that could be met: every post of the run at once, and only pairs whose coins fall well.

A policy hands over between such pairs alone, never more of a line than it holds: so its quantity is a flow along these
edges, and the engine's sweep finds the largest. The least useful split is no rule here, since what is left of a need may be
small; and a pack's date is read on the day from which the two stand together.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from mutualaid.kit import clock
from mutualaid.matching import columns
from mutualaid.matching.engine import sweep as engine
from mutualaid.matching.engine.plan import Plan
from mutualaid.matching.simulation.city import START, City, Poster
from mutualaid.matching.simulation.columns import problem_of
from mutualaid.matching.simulation.people import People


def best(city: City) -> Plan:
    """Rows are numbered by the city's needs, and by its offers."""
    needs, offers, people = city.of("need"), city.of("offer"), People(city)
    items = columns.items(city.catalogue.items)
    problem = problem_of(
        city,
        replace(items, least=np.ones_like(items.least)),
        needs,
        offers,
        quantity=lambda each: each.quantity,
        standing=lambda _each: (0, 0),
        barred=(
            (need.id, offer.id)
            for need in needs
            for offer in offers
            if need.item == offer.item and not possible(people, need, offer)
        ),
        now=START,
    )
    plan = engine.sweep(problem, tidy=False)
    if not plan.report.certified:
        raise AssertionError("the bound is not proven")
    return plan


def possible(people: People, need: Poster, offer: Poster) -> bool:
    """Whether these two could end in a handover, if anybody brought them together."""
    begin = max(need.posted, offer.posted)
    if begin >= min(need.until, offer.until) or not _lasts(people.city, offer, begin):
        return False
    both = ((need, offer), (offer, need))
    return all(people.comes(who, other) and not people.declines(who, other) for who, other in both)


def _lasts(city: City, offer: Poster, begin: datetime) -> bool:
    item = city.catalogue.get(offer.item)
    assert item is not None
    if offer.expires_on is None:
        return True
    return offer.expires_on >= clock.today(begin) + timedelta(days=item.course_days)
