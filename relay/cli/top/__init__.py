"""Live view: what `relay status` shows, moving, and the actions that a person takes there."""
