"""What was seen and what was sent, remembered: one logic, on whichever store there is."""
