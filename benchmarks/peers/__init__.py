"""Other chat servers to compare with, each as small as a typical example."""
