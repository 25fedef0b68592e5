"""Rules that every file of the house keeps."""
