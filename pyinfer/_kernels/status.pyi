"""``pi_status`` of the C core to typed exceptions; for the other compiled modules only."""
