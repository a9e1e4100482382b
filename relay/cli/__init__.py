"""Command line: a face of the operations. It reads settings, opens the connection, and prints."""
