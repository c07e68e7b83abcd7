"""What every page is made with: cookies, forms, templates, static files. The API's doors know nothing of it.

Pages never read bearer tokens, the API never reads cookies; both stand before the same actions.
"""
