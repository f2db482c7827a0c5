"""The same training in other ways, each as its own users would write it; one module each.

All learn the model of params.yaml from the same examples with Adam, in batches that are reshuffled
every epoch, and keep the cost of each iteration where the library gives it. ADAPT: they are
written for fully connected layers with ReLU between them.
"""
