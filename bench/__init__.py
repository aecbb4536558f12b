"""The harness. `bench.methods` and `bench.datasets` are links to the folders of those names beside this one.

Under the short name `datasets` that folder would hide, or be hidden by, the Hugging Face package of that name.
"""
