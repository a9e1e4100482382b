"""The face of the service that did this before: its REST clients go on working.

docs/existing-consumers.md and docs/api.md say what they rely on.
"""
