"""All-reduce of PyTorch's gloo on one host: one JSON line a size.

Arguments: number of ranks, then the sizes in floats. Times are those of rank 0, in milliseconds: the median over blocks of calls.
"""

import json
import os
import socket
import statistics
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def measure(rank: int, ranks: int, port: int, sizes: list[int]) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    for size in sizes:
        data = torch.ones(size)
        calls = 100 if size < 1 << 17 else 10 if size < 1 << 22 else 3
        for _ in range(5):
            dist.all_reduce(data)
        blocks = []
        for _ in range(5):
            dist.barrier()
            start = time.perf_counter()
            for _ in range(calls):
                dist.all_reduce(data)
            blocks.append((time.perf_counter() - start) / calls * 1e3)
        if rank == 0:
            print(json.dumps({"size": size, "ms": statistics.median(blocks)}), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = int(sys.argv[1])
    mp.spawn(measure, args=(ranks, port, [int(size) for size in sys.argv[2:]]), nprocs=ranks)
