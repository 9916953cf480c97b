"""Every secret that a pod reads is sealed for the environment, and nothing is in git in clear."""
