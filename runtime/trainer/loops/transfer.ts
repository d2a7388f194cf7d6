import { overrides } from "../hooks.ts";
import { LightningDataModule } from "../lightning_data_module.ts";
import { LightningModule } from "../lightning_module.ts";
import type { Session } from "../session.ts";
import { DataLoader } from "../../data/data_loader.ts";

/** Passes a batch through the transfer hooks. */
export type Transfer = (batch: unknown, dataloaderIdx: number) => unknown | Promise<unknown>;

const HOOKS = ["onBeforeBatchTransfer", "transferBatchToDevice", "onAfterBatchTransfer"] as const;

/** The transfer for batches of `source`. A DataLoader's are tensors on the device already, so that only hooks of the user's remain. */
export function transferFor(session: Session, source: unknown): Transfer {
  const { hooks, module, datamodule, fabric } = session;
  const own = HOOKS.map((name) => {
    if (datamodule && overrides(datamodule, LightningDataModule.prototype, name)) return datamodule;
    return overrides(module, LightningModule.prototype, name) ? module : undefined;
  });
  const isReady = source instanceof (DataLoader as unknown as new () => object);
  if (isReady && own.every((owner) => owner === undefined)) return (batch) => batch;
  return async (given, dataloaderIdx) => {
    let batch = given;
    const [before, transfer, after] = own;
    if (before) batch = await hooks.module(HOOKS[0], () => before.onBeforeBatchTransfer(batch, dataloaderIdx));
    if (transfer) {
      batch = await hooks.module(HOOKS[1], () => transfer.transferBatchToDevice(batch, fabric.device, dataloaderIdx));
    } else batch = fabric.toDevice(batch);
    if (after) batch = await hooks.module(HOOKS[2], () => after.onAfterBatchTransfer(batch, dataloaderIdx));
    return batch;
  };
}
