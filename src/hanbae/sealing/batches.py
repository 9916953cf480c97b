"""Seals many values for one certificate, on every processor and while this thread does something else.

A value takes a sixth of a millisecond, nearly all of it RSA for a session key of its own, and the library lets go of
Python's lock meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hanbae import masking
from hanbae.sealing import encrypting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

FEWEST: Final = 20
"""Values from which on another thread pays."""
_MOST_THREADS: Final = 8


@contextlib.contextmanager
def sealing(
    plaintexts: Mapping[str, masking.Masked], key: RSAPublicKey, label: bytes
) -> Iterator[Callable[[], dict[str, str]]]:
    """Begin to seal values; what is left when the block ends is not sealed.

    Args:
        plaintexts: Key → value.
        key: The controller's public key.
        label: From :func:`hanbae.sealing.encrypting.label`.

    Yields:
        What gives the sealed values, by key and in the order of the plaintexts, once all are sealed.
    """
    batch = _Batch(plaintexts, key, label)
    threads = [threading.Thread(target=batch.work) for _ in range(_helpers(len(plaintexts)))]
    for thread in threads:
        thread.start()

    def finish() -> dict[str, str]:
        batch.work()
        for thread in threads:
            thread.join()
        return batch.sealed()

    try:
        yield finish
    finally:
        # Also where the block ends with an error: no thread holds a plaintext any longer.
        batch.stop()
        for thread in threads:
            thread.join()


def _helpers(count: int) -> int:
    """Threads beside this one."""
    processors = len(os.sched_getaffinity(0))
    return min(processors, _MOST_THREADS) - 1 if count >= FEWEST else 0


class _Batch:
    """The values, which of them are taken, and what is sealed of them."""

    def __init__(
        self, plaintexts: Mapping[str, masking.Masked], key: RSAPublicKey, label: bytes
    ) -> None:
        self._plaintexts = plaintexts
        self._encryptor = encrypting.Encryptor(key, label)
        # One step of this iterator is one step of the interpreter's: no two threads get the same key.
        self._left = iter(list(plaintexts))
        self._sealed: dict[str, str] = {}
        self._fault: BaseException | None = None

    def work(self) -> None:
        """Seal what nobody has taken."""
        try:
            for name in self._left:
                self._sealed[name] = self._encryptor.encrypt(self._plaintexts[name])
        except BaseException as error:  # noqa: BLE001  told to who asked for the values, in its own thread
            self._fault = error
            self.stop()

    def stop(self) -> None:
        """Leave what nobody has taken."""
        for _ in self._left:
            pass

    def sealed(self) -> dict[str, str]:
        """What is sealed.

        Raises:
            RuntimeError: A value could not be sealed, which is a bug of ours.
        """
        if self._fault is not None:
            raise self._fault
        return {name: self._sealed[name] for name in self._plaintexts}
