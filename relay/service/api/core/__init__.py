"""The core of queries and additions that both faces share. It knows no representation of either."""
