"""The ways in. Each translates its wire to a `Call` and an `Outcome` to its wire, and nothing else."""
