"""Gitea and Forgejo, GitHub, GitLab: merge requests, who approved them, and what is said of commits."""
