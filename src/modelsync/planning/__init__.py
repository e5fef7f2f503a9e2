"""From answers to a plan, purely: no HTTP, no SQL, no clock, no environment, no logs."""
