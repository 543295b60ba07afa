"""Keras layers: read and written without Keras."""
