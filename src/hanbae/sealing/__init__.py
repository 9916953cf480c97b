"""Sealed Secrets without kubeseal: certificates, the ciphertext's format, the object around it. No I/O."""
