import assert from "node:assert/strict";
import { configProto } from "../../../runtime/accelerators/tensorflow/config_proto.ts";
import recorded from "../../fixtures/tensorflow/config_proto.json" with { type: "json" };

/** The recorded bytes are those of TensorFlow's own protobuf, by tests/fixtures/tensorflow/make_fixtures.py. */
const hex = (bytes: Uint8Array<ArrayBuffer>) => bytes.toHex();

Deno.test("the configuration without a GPU has TensorFlow's own bytes", () => {
  assert.equal(hex(configProto({ intraOpThreads: 3, interOpThreads: 200 })), recorded.cpu);
});

Deno.test("the configuration for a GPU names it and lets its memory grow", () => {
  assert.equal(hex(configProto({ intraOpThreads: 1, interOpThreads: 70000, gpu: 2 })), recorded.gpu);
});
