import assert from "node:assert/strict";
import { Fabric } from "../../mod.ts";
import { info } from "../../runtime/core/messages.ts";

Deno.test("a message lands above the bar that is on the screen, also beside bars that are not drawn yet or closed", async () => {
  await using fabric = new Fabric({ accelerator: "cpu" });
  await fabric.launch();
  const text = new TextDecoder();
  const written: string[] = [];
  const stream = {
    writeSync(bytes: Uint8Array) {
      written.push(text.decode(bytes));
      return bytes.length;
    },
  };
  const taken = () => written.splice(0).join("").replaceAll("\x1b[K", "«clear»");
  const options = { stream, isTerminal: true, refreshMs: 0, columns: 60 };
  const training = fabric.progressBar({ ...options, total: 4, description: "Epoch 0" });
  training.update(4);
  taken();
  const validation = fabric.progressBar({ ...options, total: 2, description: "Validation" });
  info("said before its first batch");
  assert.match(taken(), /^\r«clear»said before its first batch\n\rEpoch 0.*«clear»$/);
  validation.update();
  taken();
  info("said during the validation");
  assert.match(taken(), /^\r«clear»said during the validation\n\rValidation.*«clear»$/);
  validation.close({ leave: false });
  training.refresh();
  taken();
  info("said after it");
  assert.match(taken(), /^\r«clear»said after it\n\rEpoch 0.*«clear»$/);
  training.close();
});
