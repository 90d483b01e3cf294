"""The schema of a database as values: what is there, what the models want, and the changes between the two.

Rule 1: one lock, one look at the catalogue, one transaction, one row of history, for all models together.
Rule 2: this version makes what is missing and changes nothing that exists. A table that differs from its model in a
        way that could give a wrong answer is an error that lists the differences.
Rule 3: when there is nothing to do neither SQLAlchemy nor anything else heavy is imported.
"""
