"""The harness. Its neighbours `methods` and `datasets` are imported as `bench.methods` and `bench.datasets`.

In a checkout they stand beside this folder, in an installed package inside it. Under the short name `datasets`
they would hide, or be hidden by, the Hugging Face package of that name.
"""

from pathlib import Path

if not (Path(__file__).parent / "methods").is_dir():
    __path__.append(str(Path(__file__).parent.parent))
