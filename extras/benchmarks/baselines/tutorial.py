"""The tutorial's own way: a graph, a session, and a batch fed in each iteration.

This is the TensorFlow 1 that TensorFlow 2 still contains. The batches come from NumPy, as in the
tutorial's ``next_batch``; here only the rows of a batch are copied, which is less work.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from extras.benchmarks.baselines.task import Task, Training

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)


def train(task: Task) -> Training:
    """Build the graph, and run it once per iteration."""
    one_hot = np.eye(task.classes, dtype=np.float32)[task.labels]
    features = tf.placeholder(tf.float32, [None, *task.features.shape[1:]])
    labels = tf.placeholder(tf.float32, [None, task.classes])
    values = features
    for matrix, bias in task.layers():
        logits = tf.matmul(values, tf.Variable(matrix)) + tf.Variable(bias)
        values = tf.nn.relu(logits)
    cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=labels))
    adam = task.adam
    optimizer = tf.train.AdamOptimizer(
        adam.learning_rate, adam.beta_1, adam.beta_2, adam.epsilon
    ).minimize(cost)
    batches = task.batches()
    costs = []
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    for iterations in task.sections:
        for _ in range(iterations):
            batch = next(batches)
            feed = {features: task.features[batch], labels: one_hot[batch]}
            _, batch_cost = session.run([optimizer, cost], feed)
            costs.append(batch_cost)
        yield None
    yield session.run(tf.argmax(logits, 1), {features: task.test_features})
