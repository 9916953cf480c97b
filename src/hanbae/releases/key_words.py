"""The words of a key, however it is written: ``imageTag``, ``image-tag`` and ``IMAGE_TAG`` have the same two."""

from __future__ import annotations


def split(key: str) -> list[str]:
    """The words of a key, in lower case; what is no letter and no digit stands between them."""
    words, word = [], ""
    for character in key:
        # A capital begins a word, unless it stands behind another one, as in `imageURL`.
        begins = character.isupper() and word and not word[-1].isupper()
        if begins or not character.isalnum():
            words.append(word)
            word = ""
        word += character if character.isalnum() else ""
    return [part.lower() for part in (*words, word) if part]
