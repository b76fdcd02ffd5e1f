"""The operator's page of a kiosk: behind five taps and a PIN, at this machine only."""
