"""Replays of campaigns under several strategies."""
