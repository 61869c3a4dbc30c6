"""The text of GODEBUG=allocfreetrace=1 (Go 1.20 and before)."""
