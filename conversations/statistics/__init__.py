"""What the front page of the admin site shows: messages and active people per day, and what is stored."""
