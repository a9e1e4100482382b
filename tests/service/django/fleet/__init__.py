"""An application of Django: the tables of tests/service/states.py as models."""
