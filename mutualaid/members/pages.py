"""The pages of this room: signing in, the real-name check, one's account."""

from mutualaid.members import pages_account, pages_real_name, pages_signing

PAGES = (*pages_signing.PAGES, *pages_real_name.PAGES, *pages_account.PAGES)
