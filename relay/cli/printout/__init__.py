"""What the commands print for people; for programs there is --json."""
