"""The team's policy in words: the policy document in both languages, and the terse reference beside it.

Pure functions from the policy and what its services render to Markdown; nothing here reads or writes a file.
Whatever they are told is foreign text, and stays text: no name of an object or sentence of the policy becomes markup.
"""
