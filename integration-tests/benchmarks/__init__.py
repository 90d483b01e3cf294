"""The benchmarks: ours over what a good engineer would write by hand."""
