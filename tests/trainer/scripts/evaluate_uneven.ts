/** Ranks validate, and log a value of every step to be synchronised. Arguments: output file, validation batches of all ranks together. */
import { type Batch, Line, planeLoader, quietTrainer } from "../support/line.ts";
import { Rows } from "../support/rows.ts";

const [file, batches] = Deno.args;

class Telling extends Line {
  override validationStep(_: Batch): void {
    this.log("rank", this.globalRank, { onStep: true, onEpoch: true, syncDist: true });
  }
}

const logger = new Rows();
const trainer = quietTrainer({ accelerator: "wasm", maxEpochs: 1, logger });
await trainer.fit(new Telling(), planeLoader({ samples: 8 }), planeLoader({ samples: 4 * Number(batches) }));
if (trainer.isGlobalZero) await Deno.writeTextFile(file, JSON.stringify(logger.rows));
await trainer.close();
