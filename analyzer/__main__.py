"""``python -m analyzer`` is the command ``handshake``."""

from analyzer.cli import main

if __name__ == "__main__":
    main()
