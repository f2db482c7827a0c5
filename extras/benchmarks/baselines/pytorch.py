"""PyTorch: a Sequential module, fused Adam, and a loop.

The features are one tensor, and a batch is taken by its indices, because a DataLoader takes
longer.
"""

import torch
from torch import nn

from extras.benchmarks.baselines.task import Task, Training


def train(task: Task) -> Training:
    """Make a step of Adam for each batch."""
    features, labels = torch.from_numpy(task.features), torch.from_numpy(task.labels)
    layers: list[nn.Module] = []
    for matrix, bias in task.layers():
        layer = nn.Linear(*matrix.shape)
        layer.weight.data, layer.bias.data = torch.tensor(matrix.T), torch.tensor(bias)
        layers += [layer, nn.ReLU()]
    adam, model = task.adam, nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(
        model.parameters(), adam.learning_rate, (adam.beta_1, adam.beta_2), adam.epsilon, fused=True
    )
    batches = task.batches()
    costs = []
    for iterations in task.sections:
        for _ in range(iterations):
            batch = torch.from_numpy(next(batches))
            cost = nn.functional.cross_entropy(model(features[batch]), labels[batch])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            costs.append(cost.detach())
        torch.stack(costs).numpy()
        yield None
    with torch.no_grad():
        yield model(torch.from_numpy(task.test_features)).argmax(dim=1).numpy()
