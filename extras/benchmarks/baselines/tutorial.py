"""The tutorial's own way: TensorFlow 1's graph and session, and a batch fed in each iteration."""

from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from extras.benchmarks.baselines import Task

tf.disable_v2_behavior()


def train(task: Task) -> Any:
    """Build the graph, and run it once per iteration."""
    layers = task.layers()
    one_hot = np.eye(len(layers[-1][1]), dtype=np.float32)[task.train.labels]
    values = features = tf.placeholder(tf.float32, [None, *task.train.features.shape[1:]])
    labels = tf.placeholder(tf.float32, [None, one_hot.shape[1]])
    for matrix, bias in layers:
        logits = tf.matmul(values, tf.Variable(matrix)) + tf.Variable(bias)
        values = tf.nn.relu(logits)
    cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=labels))
    optimizer = tf.train.AdamOptimizer(*task.adam).minimize(cost)
    costs = []
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    for batches in task.sections():
        for batch in batches:
            feed = {features: task.train.features[batch], labels: one_hot[batch]}
            costs.append(session.run([optimizer, cost], feed)[1])
    return session.run(tf.argmax(logits, 1), {features: task.test.features})
