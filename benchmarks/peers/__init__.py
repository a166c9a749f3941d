"""What Chatty is measured beside, each as small as its usual example."""
