export { type LookupPlan, Transform } from "./transforms/transform.ts";
export { ToTensor } from "./transforms/to_tensor.ts";
export { Normalize } from "./transforms/normalize.ts";
export { Flatten } from "./transforms/flatten.ts";
export { Compose } from "./transforms/compose.ts";
export { Lambda } from "./transforms/lambda.ts";
export { RandomCrop, type RandomCropOptions } from "./transforms/random_crop.ts";
export { RandomHorizontalFlip } from "./transforms/random_horizontal_flip.ts";
