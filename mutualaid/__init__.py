"""Mutual aid between neighbours: needs meet offers, and no phone number is shown.

The house, from the top (an arrow may point down only; `import-linter` checks it):

    4  front doors  app  worker  serving  telephony             build and run; know everything
                    cli  cli_match  cli_numbers  cli_ways       commands
                    routes  handlers  wiring  tables            one table each: URLs, jobs, makers, tables
                    shell  gate  trouble                        round every request: bounds, limits, errors
                    health  docs  migrate  migrations  seed  housekeeping
    3  rooms        account → moderation → contacts → matching → posts → notices → members → catalogue → regions
       services     what a door or a job is handed
    2  providers    sms | wechat | realname | geocoding | content | numbers    (strangers to each other)
    1  kit          database outbox audit idempotency policies errors geo cells ids phones clock limits sealing logs settings
       locale       what is said, in Chinese
    inside a room   api | pages | jobs → actions → store → wire → records → rules

The way of a post:

    routes.py            POST /api/v1/posts, policy VERIFIED           who may enter is said before who handles it
    posts/api.py         create: read, open, act, answer               four lines
    posts/drafts.py      every bad field at once                       shape and rules in one pass
    posts/actions.py     publish: post + audit row + job, one commit   then 201
    worker.py            claims the job `post.changed`
    handlers.py          "when this happens, do that"                  the only such table

The way of a reader:

    posts/api.py         list_plaza: from memory where it is held      else from the tables: the same answer
    posts/index/         reads the feed of changes first, then answers one's own post is always there
    posts/plaza.py       the same orders by SQL, index ranges only     kept by triggers, see docs/decisions/0010
    posts/live.py        tells listeners what the feed tells           resumed at any worker by their place in it
"""

__version__ = "0.1.0"
