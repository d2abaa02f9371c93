"""The one-machine stack: a real mongod, a real broker and the services, as processes that are looked after.

`up.py` reads as the table of contents; `keeper.py` keeps one process running; `mongod.py` and `broker.py` know the two
embedded servers; `services.py` is the table of our own.
"""
