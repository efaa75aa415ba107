"""A caller book from history: who was seen, as entries that a person reads, corrects and owns.

``history`` and ``past`` make sights of logs and of a ledger, ``workload`` says which names are one caller,
``draft`` what the book needs so that a scan of the same logs has nothing left to tell but the nameless, and
``write`` and ``merge`` put it into YAML.
"""
