"""The limits: what a good engineer would write by hand, without us. Every ratio has one of these below the line."""
