"""Milliseconds a training step takes in PyTorch: `torch_step.py perceptron|convnet eager|compile THREADS STEPS ROUNDS`, one JSON line a round."""

import json
import sys
import time

import torch
from torch import nn

model_name, how, threads, steps, rounds = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(threads)
torch.manual_seed(0)
BATCH, BATCHES = 100, 60

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
criterion = nn.CrossEntropyLoss()
images = torch.rand(BATCH * BATCHES, *shape)
labels = torch.randint(0, 10, (BATCH * BATCHES,))
forward = torch.compile(net) if how == "compile" else net


def step(i):
    at = slice(i % BATCHES * BATCH, (i % BATCHES + 1) * BATCH)
    optimizer.zero_grad()
    loss = criterion(forward(images[at]), labels[at])
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
