"""Statistics, forecasts, benchmarks and recommendations as such: no database, no clock, no framework."""
