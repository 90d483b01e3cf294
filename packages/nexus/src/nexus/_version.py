"""The version of this distribution; the build reads it, and so does the program."""

__version__ = "1.2.0"
