"""The console: the operations of an outbox in a browser. `relay console`, or a mounted application.

Needs the extra `console`: ``pip install outbox-relay[console]``.
"""
