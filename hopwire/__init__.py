"""Hopwire: a messaging gateway. Viber first, SMS when Viber cannot, and nothing accepted is lost."""

__version__ = "0.1.0"
