"""What makes any stage trustworthy; it knows neither the data nor the network, and needs no torch."""
