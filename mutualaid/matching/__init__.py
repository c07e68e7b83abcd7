"""Who can help whom: proposals, pledges, and what becomes of them."""
