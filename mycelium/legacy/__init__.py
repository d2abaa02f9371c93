"""The marketplace's old `user_data/*.json` files, read as a stream and told as events that are the same every time.

`reading.py` walks through a file; `shapes.py`, `money.py` and `person.py` say what became of each of its members;
`ledger.py` puts the transactions in order; `telling.py` makes a file's events; `command.py` publishes and reports.
"""
