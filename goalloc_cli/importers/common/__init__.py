"""What several importers need: numbers for addresses and ids."""
