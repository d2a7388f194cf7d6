"""Milliseconds a training step takes in PyTorch: `torch_step.py perceptron|convnet|transformer eager|compile THREADS STEPS ROUNDS`, one JSON line a round."""

import json
import sys
import time

import torch
from torch import nn

model_name, how, threads, steps, rounds = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(threads)
torch.manual_seed(0)
BATCHES = 60

if model_name == "transformer":
    from transformer import Transformer

    batch, classes = 32, 29
    net = Transformer(vocabulary=classes, context=76, width=64, heads=4, blocks=2)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.01)
    inputs = torch.randint(0, classes, (batch * BATCHES, 76))
    labels = torch.randint(0, classes, (batch * BATCHES, 76))
else:
    batch, classes = 100, 10
    if model_name == "perceptron":
        shape = (784,)
        net = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    else:
        shape = (1, 28, 28)
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(800, 10),
        )
    optimizer = torch.optim.Adam(net.parameters())
    inputs = torch.rand(batch * BATCHES, *shape)
    labels = torch.randint(0, 10, (batch * BATCHES,))
criterion = nn.CrossEntropyLoss()
forward = torch.compile(net) if how == "compile" else net


def step(i):
    at = slice(i % BATCHES * batch, (i % BATCHES + 1) * batch)
    optimizer.zero_grad()
    loss = criterion(forward(inputs[at]).reshape(-1, classes), labels[at].reshape(-1))
    loss.backward()
    optimizer.step()
    return loss


for i in range(30):
    step(i)
for _ in range(rounds):
    begun = time.perf_counter()
    for i in range(steps):
        loss = step(i)
    loss.item()
    print(json.dumps({"ms": 1e3 * (time.perf_counter() - begun) / steps}), flush=True)
