"""Milliseconds a jitted training step of the perceptron takes in JAX: `jax_step.py STEPS ROUNDS`, one JSON line a round. Needs jax and optax."""

import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

steps, rounds = map(int, sys.argv[1:3])
BATCH, BATCHES = 100, 60
random = np.random.default_rng(0)
images = random.random((BATCH * BATCHES, 784), dtype=np.float32)
labels = random.integers(0, 10, BATCH * BATCHES)
parameters = {
    "w1": jnp.asarray(random.normal(0, 0.05, (784, 100)), jnp.float32), "b1": jnp.zeros(100),
    "w2": jnp.asarray(random.normal(0, 0.1, (100, 10)), jnp.float32), "b2": jnp.zeros(10),
}
optimizer = optax.adam(1e-3)
state = optimizer.init(parameters)


def loss_of(p, x, y):
    logits = jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


@jax.jit
def step(p, s, x, y):
    loss, gradients = jax.value_and_grad(loss_of)(p, x, y)
    updates, s = optimizer.update(gradients, s, p)
    return optax.apply_updates(p, updates), s, loss


def run(i):
    global parameters, state
    at = slice(i % BATCHES * BATCH, (i % BATCHES + 1) * BATCH)
    parameters, state, loss = step(parameters, state, images[at], labels[at])
    return loss


for i in range(30):
    run(i)
for _ in range(rounds):
    begun = time.perf_counter()
    for i in range(steps):
        loss = run(i)
    loss.block_until_ready()
    print(json.dumps({"ms": 1e3 * (time.perf_counter() - begun) / steps}), flush=True)
