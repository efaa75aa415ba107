"""What a person reads on Slack, and how it gets there.

``text`` makes what a log holds safe to show, ``links`` finds where to look, ``steps`` says what to do,
``describe`` puts an alert into words, ``blocks`` are Slack's pieces. From these ``layout``, ``storm`` and ``message``
make a :class:`~callerid.alerts.blocks.Message`: pure functions of what the ledger holds. ``slack`` sends it, and it
alone imports slack_sdk; ``terminal`` shows it. ``deliver`` says what is sent when, ``follow`` what comes after a
message, ``watch`` tells by the ``second`` way out what is wrong with the monitor itself.
"""
