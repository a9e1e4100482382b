"""Changes: what a person can do here, each by the function that the command line calls.

A change is prepared from the address: it counts what it would change, and shows it. It is made only
if that is still the same when the form comes back, with a reason.
"""
