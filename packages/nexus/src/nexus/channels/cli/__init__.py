"""The command line: one command for each capability, and nothing that a capability does not do.

Belongs here: words of a command line to a `Call`, an `Outcome` to a terminal or a pipe. Does not belong here:
any rule about who may do what, or what a value must look like.
"""
