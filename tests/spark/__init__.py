"""Tests that start Apache Spark on this machine; `make spark` brings the Java that it needs."""
