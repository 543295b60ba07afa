"""What every room uses: errors, options, named choices and files."""
