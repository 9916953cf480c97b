"""Names that hanbae does not offer."""

from __future__ import annotations

import hanbae
from hanbae import Deploying  # E: attr-defined

Deploying()
hanbae.deploy("auth")  # E: attr-defined
hanbae.__all__.append(1)  # E: arg-type
