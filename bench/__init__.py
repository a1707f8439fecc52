"""Load and measuring programs: what the gateway carries, and what that costs."""
