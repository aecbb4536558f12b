"""Names of files and folders that desktop and storage systems put next to images; they are left out."""

from __future__ import annotations

from pathlib import Path

THUMBNAILS, FORKS, CHECKPOINTS, DELETED = "thumbnails", "resource forks", "notebook checkpoints", "deleted files"
SYSTEM, SNAPSHOTS = "files of desktop systems", "files in snapshots"
FOLDERS = {
    "@eadir": THUMBNAILS,  # Synology
    ".@__thumb": THUMBNAILS,  # QNAP
    ".thumbnails": THUMBNAILS,  # Android, older desktops
    ".sh_thumbnails": THUMBNAILS,
    ".thumbs": THUMBNAILS,
    "__macosx": FORKS,  # archives made by macOS
    ".appledouble": FORKS,
    ".ipynb_checkpoints": CHECKPOINTS,  # Jupyter
    "#recycle": DELETED,
    "@recycle": DELETED,
    "$recycle.bin": DELETED,
    "lost+found": DELETED,
    "#snapshot": SNAPSHOTS,  # Synology
    "@recently-snapshot": SNAPSHOTS,  # QNAP
    "~snapshot": SNAPSHOTS,  # NetApp
    ".snapshot": SNAPSHOTS,
    ".zfs": SNAPSHOTS,
    ".dtrash": DELETED,
    "system volume information": SYSTEM,
}
FILES = {"thumbs.db": THUMBNAILS, "ehthumbs.db": THUMBNAILS, "ehthumbs_vista.db": THUMBNAILS, "zbthumbnail.info": THUMBNAILS}
FILES |= {"desktop.ini": SYSTEM, ".ds_store": SYSTEM, "icon\r": SYSTEM, ".directory": SYSTEM}


def of_folder(name: str) -> str | None:
    """Why a folder of this name is left out, or None where it may hold images."""
    plain = name.lower()
    if plain.startswith(".trash"):
        return DELETED
    return FOLDERS.get(plain) or ("files in hidden folders" if name.startswith(".") else None)


def of_file(name: str) -> str | None:
    """Why a file of this name is left out, or None where it may be an image."""
    if name.startswith("._"):
        return FORKS
    return FILES.get(name.lower()) or ("hidden files" if name.startswith(".") else None)


def of_system(name: str) -> bool:
    """Whether a system has put a file or folder of this name beside the user's."""
    return name.startswith("._") or name.lower() in FILES or name.lower() in FOLDERS


def visible(folder: Path, pattern: str) -> list[Path]:
    """The paths in ``folder`` that match ``pattern``, sorted, less those whose names are left out."""
    return sorted(path for path in folder.glob(pattern) if of_file(path.name) is None)
