"""What is handed to people: licence identifiers, signed documents, and how anybody verifies them offline.

Pure: no clock, no chance, no I/O. Who makes a document brings salts and signer, who verifies one the moment.
"""
