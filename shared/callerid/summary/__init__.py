"""The number that an auditor asks for, and the five lines that a team reads on Monday.

``week`` says which hours a week has, ``figures`` adds them up, ``words`` says it to people, ``layout`` to Slack,
``post`` posts it once a week, however often it is asked to.
"""
