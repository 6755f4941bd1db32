"""The words of the product as plain values: frozen dataclasses over stdlib types, no I/O."""
