"""The job hub: what may happen to a job, who may ask for it, and every face that shows it."""
