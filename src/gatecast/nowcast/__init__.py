"""Nowcasting."""
