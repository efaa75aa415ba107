"""The report: what a ledger or a folder of logs says about a period, as one page that needs nothing else.

``figures`` reads the ledger, ``logs`` makes one of log files first; ``callers``, ``charts`` and ``picture`` draw
from the figures, ``page`` puts it together. Everything that came from a log is made visible and escaped on its way.
"""
