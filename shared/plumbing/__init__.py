"""What every service needs once: consume, publish, store, answer, tell how it is. No rule of any service is here."""
