import type { RunKey } from "../core/run_key.ts";
import { libzmq, libzmqFile, throwZmqError } from "./libzmq.ts";

/**
 * The Curve25519 key pair that all processes of a run have in common, in Z85.
 *
 * Sockets that listen take it as the server's, those that connect as their own and the server's. The public half never travels and is nowhere
 * published: CURVE's first message can only be made with it, so that a process without the run's key does not even get an answer
 * (https://rfc.zeromq.org/spec/26).
 */
export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/**
 * The key pair of a run.
 * @throws Error if libzmq was built without CURVE
 */
export async function curveKeys(runKey: RunKey): Promise<CurveKeys> {
  const zmq = libzmq();
  if (zmq.zmq_has(new TextEncoder().encode("curve\0")) !== 1) {
    throw new Error(
      `${libzmqFile()} was built without CURVE, which encrypts what travels between hosts: ` +
        `unset LIBZMQ_PATH to use the one that comes along, or point it at one that has it`,
    );
  }
  const secret = new Uint8Array(41), open = new Uint8Array(41);
  zmq.zmq_z85_encode(secret, await runKey.derive("weft curve 1"), 32n);
  if (zmq.zmq_curve_public(open, secret) !== 0) throwZmqError("zmq_curve_public");
  const text = (key: Uint8Array) => new TextDecoder().decode(key.subarray(0, 40));
  return { publicKey: text(open), secretKey: text(secret) };
}
