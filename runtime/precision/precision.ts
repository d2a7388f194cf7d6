/** How numbers are kept and computed, named as in Lightning. */
export type Precision = "64-true" | "32-true" | "16-true" | "bf16-true" | "16-mixed" | "bf16-mixed";
