"""The machine's limit: only the matrix products of the training, as fast as this machine can.

They are computed as products with a large matrix, which a machine computes at its highest rate, in
TensorFlow with the threads that the project trains with.
"""

from extras.benchmarks.baselines import Task
from stages.train.reproducible import tf

SIZE = 2048


def train(task: Task) -> None:
    """Multiply matrices, without training anything."""
    first, *others = (matrix.size for matrix, _ in task.layers())
    # A layer has three products: the forward pass, and the gradients of its weights and of its
    # input. The first layer's input needs none. Each is a multiplication and an addition.
    operations = 2 * (2 * first + 3 * sum(others))
    matrix = tf.random.stateless_uniform((SIZE, SIZE), (0, 1))
    for batches in task.sections():
        products, rows = divmod(round(operations * batches.size / (2 * SIZE**2)), SIZE)
        for count in [*products * [SIZE], rows]:
            tf.matmul(matrix[:count], matrix).numpy()
