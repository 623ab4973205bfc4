"""Boosted trees and what they read: encoded features, the forest, fewer rows without events."""
