"""Suites that run on every database: a tier subclasses them and says which."""
