"""Operations: everything a person can do to an outbox, for every face (command line, console).

Each takes what it works on as its first argument, in most cases a connection: in autocommit mode
or not, of its own or from a pool, with no transaction open. An operation opens its transactions
itself and leaves none behind. None reads the environment, and none prints.
"""
