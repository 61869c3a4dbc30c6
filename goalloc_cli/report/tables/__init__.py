"""Documents as blocks: tables, headlines, notes."""
