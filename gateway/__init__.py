"""The gateway of the Schuldenknooppunt: signed standard messages between the parties of Dutch debt relief."""

__version__ = "0.1.0"
