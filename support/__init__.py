"""What changes no byte of an output: command line, errors, progress, files, YAML."""
