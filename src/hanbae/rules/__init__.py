"""What a team's files are held against: rules over one service, one release or the whole repository.

Rules are functions over views (:mod:`hanbae.rules.views`): they read no files but those of the view's tree, speak to
nothing, and yield :class:`~hanbae.rules.rulebook.Hit`; which place in whose file that is, is worked out after them.
"""
