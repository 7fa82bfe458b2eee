"""Built-in performances, one `.motion` file each."""
