"""The pages of matches: one's own, one of them with what can be done about it, and the pledge."""

from mutualaid.matching import pages_match, pages_pledge

PAGES = (*pages_match.PAGES, *pages_pledge.PAGES)
