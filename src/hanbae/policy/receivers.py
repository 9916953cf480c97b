"""Who is told of deployments, as ``hanbae.yaml`` names them; where they are is never in it."""

from __future__ import annotations

from typing import Literal

from hanbae.policy.bases import Document, Name


class Receiver(Document, frozen=True):
    """Somebody who is told of deployments.

    Their address is a secret and comes from the machine that deploys: the variable ``HANBAE_NOTIFY_NAME``, with the
    name in capitals and ``_`` for ``-``, or the file that ``HANBAE_NOTIFY_NAME_FILE`` names. Where neither is set,
    nobody is told.

    Attributes:
        name: Short stable name.
        via: ``webhook`` (default; signed by Standard Webhooks with the key in ``HANBAE_NOTIFY_NAME_KEY``), ``slack``
            (the variable holds the channel, ``HANBAE_NOTIFY_NAME_TOKEN`` a bot's token) or ``discord`` (it holds the
            address of a channel's webhook), whose one message is edited as a deployment goes on, or ``apprise``, whose
            URL may lead to Teams, mail and some hundred more: one message, when it has ended.
        environments: The environments whose deployments they are told of; default all.
    """

    name: Name
    via: Literal["webhook", "slack", "discord", "apprise"] = "webhook"
    environments: tuple[Name, ...] = ()
