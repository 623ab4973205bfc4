"""Run the program from a checkout: ``python cli.py allocate --budget 200000``."""

from incentive_engine.cli import run

if __name__ == "__main__":
    run()
