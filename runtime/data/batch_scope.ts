import { tf } from "../tensor/tf.ts";
export class TensorScope {
  static open(name: string): TensorScope {
    tf.engine().startScope(name);
    return new TensorScope();
  }
  close(): void {
    tf.engine().endScope();
  }
}
