"""The same training in other ways, each as its own users would write it; one file each.

All of them learn a 784-128-64-10 network from the same images with Adam (0.001, 0.9, 0.999, 1e-8)
in batches of 64, reshuffled every epoch, and keep what the library gives them of the cost.
"""
