"""The face of our own: objects in props, problem+json, pages with a cursor."""
