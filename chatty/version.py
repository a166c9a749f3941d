"""The version of Chatty. It stands here and nowhere else."""

__version__ = "0.2.0"
