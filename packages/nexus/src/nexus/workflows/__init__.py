"""Workflows as capabilities: what an application registers, and the runs of it.

Rule 1: a registered workflow is looked at when somebody asks what is offered, not when it is registered: the
models whose nodes it names may be declared later.
Rule 2: text that comes with a request is marked as data before a function of the program sees it.
"""
