"""Files whose content is not on this computer: dangling links, and pointers of git-annex and Git LFS."""

from pathlib import Path

#: What stands in a file in place of its content, and what fetches it.
_POINTERS = {
    b"/annex/objects/": ("git-annex", "`datalad get` or `git annex get`"),
    b"version https://git-lfs.github.com/spec/": ("Git LFS", "`git lfs pull`"),
}
#: Pointers are smaller than this, bytes.
_LARGEST_POINTER = 32768


def absent_content(path: Path) -> str:
    """What a file is whose content is not there, for the user, with what to do; "" for any other file.

    DataLad, and git-annex before it, keep a link to content that was not fetched, or a small text file in its place.
    """
    if path.is_symlink() and not path.exists():
        target = str(path.readlink())
        if "/annex/objects/" in target.replace("\\", "/"):
            return _unfetched(*_POINTERS[b"/annex/objects/"])
        return f"a link to '{target}', which does not exist: check the link"
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_POINTER:
            return ""
        with path.open("rb") as file:
            start = file.read(max(map(len, _POINTERS)))
    except OSError:
        # What reads the file says so.
        return ""
    found = next((pointer for pointer in _POINTERS if start.startswith(pointer)), None)
    return _unfetched(*_POINTERS[found]) if found else ""


def _unfetched(program: str, command: str) -> str:
    return f"a link of {program} to content that is not on this computer: fetch it with {command}"
