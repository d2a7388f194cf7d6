import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import { onEveryStep } from "../runtime/tensor/step_recording.ts";
import { RankFlags } from "./rank_flags.ts";
import {
  type BackwardPass,
  type ModuleSynchronizer,
  noSynchronization,
  type Strategy,
  type Synchronizer,
} from "./strategy.ts";

/** One process, one device: nothing to synchronise. */
export class SingleDeviceStrategy implements Strategy {
  readonly name = "single_device";
  readonly splitsBatch = false;

  connect(_group: ProcessGroup, flags: RankFlags): Synchronizer {
    const word = new Float32Array(RankFlags.length);
    const settle: BackwardPass = {
      gradientReady() {},
      finish() {
        onEveryStep(() => {
          flags.write(word);
          flags.read(word);
        });
        return Promise.resolve();
      },
    };
    const module: ModuleSynchronizer = {
      beginBackward: ({ sync }) => {
        if (!sync) return noSynchronization;
        onEveryStep(() => flags.begin());
        return settle;
      },
    };
    return { prepareModule: () => Promise.resolve(module) };
  }
}
