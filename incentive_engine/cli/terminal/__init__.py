"""What a terminal needs: options, output, help, signals, words for what was typed wrong."""
