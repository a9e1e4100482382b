from typing import Final

# A question in a short transaction of its own: a slow one is given up alone, and vacuum is not held
# back.
STATEMENT_TIMEOUT: Final = """
SELECT set_config('statement_timeout', %(milliseconds)s, true),
       set_config('jit', 'off', true)
"""
