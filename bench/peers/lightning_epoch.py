"""Seconds an epoch of MNIST takes in PyTorch Lightning: a perceptron 784-100-10, Adam, batch 100, validation after the epoch.

Arguments: the folder with MNIST/raw, `transforms` (torchvision's ToTensor for each image, as tutorials write it) or `memory` (tensors
ready in memory), devices, epochs. Rank 0 prints a JSON line after the first step, after each epoch, and at the end.
"""

import json
import logging
import resource
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
logging.getLogger("lightning").setLevel(logging.ERROR)

import lightning
import torch
import torchmetrics
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms

FOLDER, DATA, DEVICES, EPOCHS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def dataset(train: bool):
    if DATA == "transforms":
        return datasets.MNIST(FOLDER, train=train, transform=transforms.ToTensor())
    images = datasets.MNIST(FOLDER, train=train)
    return TensorDataset(images.data.float().div(255).reshape(-1, 784), images.targets)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
        self.accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=10)

    def training_step(self, batch, index):
        x, y = batch
        loss = nn.functional.cross_entropy(self.net(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        logits = self.net(x)
        self.accuracy.update(logits, y)
        self.log("val_loss", nn.functional.cross_entropy(logits, y), sync_dist=True)
        self.log("val_acc", self.accuracy, prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)

    def on_train_batch_end(self, outputs, batch, index):
        if self.global_rank == 0 and self.trainer.global_step == 1:
            print(json.dumps({"first_step": True}), flush=True)

    def on_train_epoch_start(self):
        self.start = time.perf_counter()

    def on_train_epoch_end(self):
        if self.global_rank == 0:
            seconds = time.perf_counter() - self.start
            print(json.dumps({"seconds": seconds, "val_acc": float(self.trainer.callback_metrics["val_acc"])}), flush=True)


if __name__ == "__main__":
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=DEVICES,
        strategy="ddp" if DEVICES > 1 else "auto",
        max_epochs=EPOCHS,
        num_sanity_val_steps=0,
        logger=CSVLogger(tempfile.mkdtemp()),
        enable_progress_bar=True,
        enable_model_summary=False,
    )
    trainer.fit(Classifier(), DataLoader(dataset(True), 100 // DEVICES, shuffle=True), DataLoader(dataset(False), 100))
    if trainer.is_global_zero:
        print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
