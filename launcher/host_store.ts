import { StoreServer } from "../runtime/comm/store_server.ts";

/** The store through which ranks find each other, listening. */
export interface HostedStore extends AsyncDisposable {
  readonly port: number;
}

/**
 * Starts the store.
 * @throws Error naming address and port, if it cannot listen there
 */
export async function hostStore({ address, port }: { address: string; port: number }): Promise<HostedStore> {
  return await StoreServer.listen({ address, port });
}
