"""Adapters and devices, composed: the only place that decides what is virtual and what is real."""
