/** What {@linkcode deviceLines} tells of. */
export interface DevicesFound {
  /** The accelerator that is used. */
  accelerator: string;
  /** GPUs that the CUDA driver offers to this process. */
  gpus: number;
  localRank: number;
  /** The variable `CUDA_VISIBLE_DEVICES`, if it is set. */
  visibleGpus: string | undefined;
}

/** The lines by which a user sees what there is to compute on and what is taken. */
export interface DeviceLines {
  /** Of all ranks together. */
  common: string;
  /** Of this rank alone. */
  own: string | undefined;
  /** What may be an oversight. */
  warning: string | undefined;
}

/** Says which accelerators there are and which is used, in Lightning's words. */
export function deviceLines({ accelerator, gpus, localRank, visibleGpus }: DevicesFound): DeviceLines {
  const isGpu = accelerator === "cuda" || accelerator === "webgpu";
  const kind = gpus > 0 ? "cuda" : accelerator === "webgpu" ? "webgpu" : undefined;
  const available = kind === undefined ? "False" : `True (${kind})`;
  const names = visibleGpus ?? Array.from({ length: gpus }, (_, index) => index).join(",");
  return {
    common: `GPU available: ${available}, used: ${isGpu ? "True" : "False"}` +
      (isGpu ? "" : `; computing on the processor by ${accelerator}`),
    own: accelerator === "cuda" ? `LOCAL_RANK: ${localRank} - CUDA_VISIBLE_DEVICES: [${names}]` : undefined,
    warning: gpus > 0 && !isGpu
      ? 'GPU available but not used. You can set it by doing `new Trainer({ accelerator: "cuda" })`.'
      : undefined,
  };
}
