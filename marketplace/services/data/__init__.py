"""Write the data market: products, contracts, deliveries, money."""
