"""The git repository: what the remote's branches say, and the files of a commit, hostile until checked."""
