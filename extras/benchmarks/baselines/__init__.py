"""The same training in other ways, each as users of that library would write it; one module each.

ADAPT: they are written for fully connected layers with ReLU between them.
"""
