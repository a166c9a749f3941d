"""The version of Chatty. This is the only place that defines it."""

__version__ = "0.2.0"
