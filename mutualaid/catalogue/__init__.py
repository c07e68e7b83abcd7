"""The catalogue: what may be shared, how much of it, and what is refused and why.

Operator data: seeded from `catalogue.csv` in this package, amended by `mutualaid import catalogue FILE`, every change
audited. Prescription status, ages and leaflet lines are general knowledge, to be checked by a pharmacist before
public use.
"""
