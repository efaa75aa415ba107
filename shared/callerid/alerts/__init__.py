"""What a person reads on Slack, and how it gets there.

``text`` makes what a log holds safe to show, ``links`` finds where to look, ``steps`` says what to do,
``describe`` puts an alert into words, ``blocks`` are Slack's pieces. From these ``message``, ``storm`` and
``notice`` make a :class:`~callerid.alerts.blocks.Message`: pure functions of what the ledger holds. ``slack``
sends it, ``terminal`` shows it. Only ``slack`` knows the network, and only it imports slack_sdk.
"""
