"""The demonstration: a made-up city in an outbreak, and one record's life from QR code to certificate.

It goes in by the same doors as everybody else; what it shows, anyone can do.
"""
