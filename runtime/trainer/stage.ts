/** What a Trainer was asked to do, and what `setup` and `teardown` are told. */
export type Stage = "fit" | "validate" | "test" | "predict";

/** Which loop is running right now. */
export type RunningStage = "sanityCheck" | "train" | "validate" | "test" | "predict";
