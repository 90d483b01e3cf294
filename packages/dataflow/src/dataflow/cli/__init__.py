"""The program ``dataflow``: the schema of a database, its migrations, its history.

Rule 1: a command decides nothing; it asks a `DataFlow` and shows the answer.
Rule 2: values go to standard output, sentences to standard error.
Rule 3: nothing heavy is imported before a command needs it; ``dataflow --help`` imports no database library.
"""
