"""Serving over HTTP: requests, routes, middleware, and the process."""
