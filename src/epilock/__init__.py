"""Epilock: personal information in emergencies, each piece with a lock, a purpose, a clock and a witness."""
