"""Which certificates are believed: the same on every Python, and those that Go's programs and curl believe."""

from __future__ import annotations

import ssl


def unstrict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Settings for TLS without the strictness that is Python's default from 3.13 on.

    It refuses certificates that lack an extension which RFC 5280 wants, as those of authorities do that Kubernetes'
    installers and companies have made for themselves. Who has signed a certificate is looked at either way.

    Args:
        context: The settings, which are changed.
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
