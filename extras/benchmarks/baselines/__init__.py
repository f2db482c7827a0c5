"""The same training in other ways, each as users of that library would write it; one module each.

All train the model of params.yaml on the same examples with Adam, in batches that are reshuffled
every epoch, and keep the cost of each iteration if the library returns it. ADAPT: they are
written for fully connected layers with ReLU between them.
"""
