"""Brings programs that were written for an older API up to date: `dataflow upgrade`.

`files` finds and writes Python files, `reading` finds what is older in one, `edits` changes its text.

Rule 1: what is older is said in one place, `dataflow.options` and `reading.MOVED`; nothing here repeats it.
Rule 2: a program is only read, never imported. LibCST, an extra, is imported when a file is looked at.
Rule 3: only the characters that change are touched; what is current is left alone, so a second time changes nothing.
Rule 4: what cannot be decided from the text is told, with its line, and left as it is.
"""
