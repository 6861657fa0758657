"""``python -m analyzer`` is the command ``handshake``."""

from analyzer.cli import console

if __name__ == "__main__":
    console()
