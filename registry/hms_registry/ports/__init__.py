"""Ports: what the services need of the outside, as small protocols."""
