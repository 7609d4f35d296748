"""Hub repositories: the snapshot in the local Hub cache, and fetching one.

    cache.py       the Hub cache on this disk: which snapshot of a revision is used, and adding one to it
    asking.py      requests to the Hub: tokens, busy servers, what a repository holds
    fetching.py    a repository's wanted files into the cache: going on where a connection broke, checking
    failures.py    what went wrong, as an exception with a reason and a remedy

A run with everything in the cache imports the first.

Files come over plain HTTPS, never through Xet: what one connection has brought stays and the next one goes on from
there, proxies and certificates are those of every other request, and Ctrl-C stops at once.
"""
