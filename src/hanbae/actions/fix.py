"""``hanbae check --fix``: makes the edits that findings carry, and nothing else.

An edit is made only where the line still holds what the rule saw; all edits of a finding are made, or none of them.
Line ends, comments and order stay; each file is replaced in one step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from hanbae import errors, files, subjects
from hanbae.policy import boundaries
from hanbae.results import findings
from hanbae.results.files import FileChange


class Fixed(Struct, frozen=True):
    """What was mended.

    Attributes:
        changes: What became of the files.
        mended: The findings whose edits were made.
        left: Those whose edits could not be made, because the files are no longer as the rule saw them.
    """

    changes: tuple[FileChange, ...]
    mended: tuple[findings.Finding, ...]
    left: tuple[findings.Finding, ...]


def fix(root: Path, findings_: Iterable[findings.Finding], *, write: bool = True) -> Fixed:
    """Make the edits of findings in a working tree.

    Args:
        root: The repository's root.
        findings_: The findings.
        write: Whether the files are written; otherwise only the differences are told.

    Raises:
        hanbae.errors.FileFault: A file lies outside the repository, or cannot be read or written.
    """
    texts = _Texts(root)
    mended: list[findings.Finding] = []
    unmended: list[findings.Finding] = []
    for finding in findings_:
        if finding.edits:
            (mended if texts.apply(finding.edits) else unmended).append(finding)
    return Fixed(tuple(texts.changes(write=write)), tuple(mended), tuple(unmended))


class _File:
    """The lines of a file, in places that stay what they were while lines come and go.

    Each place holds one line of the original file, its end included, and whatever was put below it.
    """

    def __init__(self, text: str) -> None:
        self.before = text
        # Only a line feed ends a line, as in git; str.splitlines would also cut at form feeds and
        # the like.
        self.lines = re.findall(r"[^\n]*\n|[^\n]+", text)
        self.end = "\r\n" if "\r\n" in text else "\n"

    def text(self) -> str:
        return "".join(self.lines)

    def apply(self, edit: findings.Edit) -> bool:
        """Make an edit; False where the line is not what it was."""
        if edit.line == 0:
            self._append(edit.after)
            return True
        if edit.line > len(self.lines):
            return False
        line = self.lines[edit.line - 1]
        if not edit.before:
            self.lines[edit.line - 1] = self._ended(line) + self._own(edit.after)
            return True
        # Where it stands twice in the line, nobody knows which of them the rule saw; where it is
        # gone, the file has changed.
        if line.count(edit.before) != 1:
            return False
        whole = line.rstrip("\r\n") == edit.before
        replaced = "" if whole and not edit.after else line.replace(edit.before, edit.after)
        self.lines[edit.line - 1] = replaced
        return True

    def _append(self, added: str) -> None:
        if self.lines and not added.startswith("\n"):
            self.lines[-1] = self._ended(self.lines[-1])
        self.lines.append(self._own(added))

    def _ended(self, line: str) -> str:
        return line if not line or line.endswith(("\n", "\r")) else line + self.end

    def _own(self, added: str) -> str:
        return self._ended(added.replace("\r\n", "\n").replace("\n", self.end))


class _Texts:
    """The files of a working tree that edits touch."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._files: dict[str, _File] = {}
        self._applied: set[findings.Edit] = set()

    def apply(self, edits: tuple[findings.Edit, ...]) -> bool:
        """Make all of some edits, or none; one that was made for another finding already is not made twice."""
        # Two findings may carry the same edit; the second one is mended by it as well.
        todo = [edit for edit in dict.fromkeys(edits) if edit not in self._applied]
        saved = {edit.file: list(self._file(edit.file).lines) for edit in todo}
        for edit in todo:
            if not self._file(edit.file).apply(edit):
                for name, lines in saved.items():
                    self._files[name].lines = lines
                return False
        self._applied.update(todo)
        return True

    def changes(self, *, write: bool) -> Iterable[FileChange]:
        """What becomes of each file."""
        for name, file in sorted(self._files.items()):
            before, after = file.before, file.text()
            if before == after:
                continue
            diff = files.diff(name, before, after)
            path = self._path(name)
            outcome = "changed" if path.exists() else "created"
            if write:
                _replace(path, after, name)
                yield FileChange(name, outcome, diff)  # type: ignore[arg-type]
            else:
                yield FileChange(name, "stale", diff)

    def _file(self, name: str) -> _File:
        if name not in self._files:
            path = self._path(name)
            try:
                data = path.read_bytes() if path.exists() else b""
            except OSError as error:
                raise _fault("repository.unreadable", name, error) from error
            # Bytes that are no UTF-8 come back as they were when the text is written.
            self._files[name] = _File(data.decode("utf-8", "surrogateescape"))
        return self._files[name]

    def _path(self, name: str) -> Path:
        """The file itself, never a link to it."""
        path = boundaries.inside(self._root, self._root / name)
        if path is None:
            raise errors.FileFault("repository.link-out", place=subjects.Place(name), revision="-")
        return path


def _replace(path: Path, text: str, name: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise _fault("check.unwritable", name, error) from error


def _fault(text_id: str, name: str, error: Exception) -> errors.FileFault:
    place = subjects.Place(name)
    return errors.FileFault(text_id, place=place, reason=files.reason(error))
