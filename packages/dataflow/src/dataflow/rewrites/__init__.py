"""What policy does to an operation before it runs.

Rule: a rewrite takes an operation and gives one of the same kind, so the outcome keeps its shape.
"""
