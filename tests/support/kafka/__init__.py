"""Apache Kafka for tests: where it comes from, its topics, and what is on them."""
