"""From an Outcome to tables for people and documents for machines."""
