"""The machine's limit: only the matrix products of the training, as fast as this machine can.

They are computed as products with a large matrix, which a machine computes at its highest rate, in
TensorFlow with the threads that the project trains with.
"""

from extras.benchmarks.baselines.task import Task, Training
from stages.train.reproducible import tf

SIZE = 2048


def train(task: Task) -> Training:
    """Multiply matrices, without training anything."""
    sizes = [matrix.size for matrix, _ in task.layers()]
    # A layer has three products: the forward pass, and the gradients of its weights and of its
    # input. The first layer's input needs none. Each is a multiplication and an addition.
    operations = 2 * task.adam.batch_size * (3 * sum(sizes) - sizes[0])
    matrix = tf.random.stateless_uniform((SIZE, SIZE), (0, 1))
    for iterations in task.sections:
        products, rows = divmod(round(operations * iterations / (2 * SIZE**2)), SIZE)
        for count in [*products * [SIZE], rows]:
            tf.matmul(matrix[:count], matrix).numpy()
        yield None
    yield None
