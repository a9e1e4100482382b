"""The REST API over `outbox_event`: `relay api`, or a router in a service of your own.

Needs the extra `api`: ``pip install outbox-relay[api]``.
"""
