"""What `make doctor` looks at: a module for each thing that can be broken, with a function that finds its faults."""
