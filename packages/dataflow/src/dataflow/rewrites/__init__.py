"""What policy does to an operation before it runs.

Rule 1: a rewrite takes an operation and gives one of the same kind, so the outcome keeps its shape.
Rule 2: which rewrites a model's operations need is decided once a model; a policy that is off costs nothing.
Rule 3: each module offers ``rewrites(spec)``: ``{kind of operation: rewrite}``, empty where the policy is off.
Rule 4: that of a `Create` takes its values, a dict, in the place of the operation, and adds to them: a new record is
        copied once, however many policies there are.
"""
