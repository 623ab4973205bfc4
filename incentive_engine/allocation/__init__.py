"""Who gets which offer under all limits, with a certificate."""
