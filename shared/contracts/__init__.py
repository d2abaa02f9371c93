"""The outside contract as code: the envelope, the event types, the topics, and how a record is read.

Everything here is pure: no broker, no database, no clock except where a builder stamps a new event.
"""
