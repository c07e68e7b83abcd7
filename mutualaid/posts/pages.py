"""The pages of this room: the landing, the form, the plaza, a post, one's own posts."""

from mutualaid.posts import pages_new, pages_own, pages_plaza

PAGES = (*pages_plaza.PAGES, *pages_new.PAGES, *pages_own.PAGES)
