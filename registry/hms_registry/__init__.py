"""The registry: what is registered, where it lies, and who may see it."""

__version__ = "0.1.0"
