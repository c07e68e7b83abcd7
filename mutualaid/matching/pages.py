"""The pages of matches: one's own, one of them with what can be done about it, the pledge; and posts with theirs."""

from mutualaid.matching import pages_match, pages_pledge, pages_posts, pages_prolong

PAGES = (*pages_match.PAGES, *pages_pledge.PAGES, *pages_posts.PAGES, *pages_prolong.PAGES)
