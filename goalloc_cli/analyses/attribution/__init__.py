"""Which of several changes did it: each is made alone and together with others."""
