import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import type { GradientOptimizer } from "../runtime/optim/gradient_optimizer.ts";
import type { Optimizer } from "../runtime/optim/optimizer.ts";
import { gradientOf } from "../runtime/tensor/gradients.ts";
import { snapshot } from "../runtime/tensor/read.ts";
import type { StateDict } from "../runtime/tensor/state.ts";
import { tf } from "../runtime/tensor/tf.ts";
import { ownOptimizer } from "./own_optimizer.ts";
import { planOwners } from "./owner_plan.ts";
import { exchangeVariables } from "./exchange_variables.ts";
import { chunks, join, lengthOf, partsOf } from "./flat_variables.ts";
import { checkSameModel } from "./same_model.ts";
import { SharedRoom } from "./shared_room.ts";
import type { OptimizerSynchronizer } from "./strategy.ts";

/** What ranks exchange in a step. */
const purpose = "the optimizer's step";

/**
 * This rank's part of an optimizer whose state is spread over the ranks: each parameter has one owner, which alone updates it and remembers what
 * that takes. Source: S. Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", SC 2020, stage 1.
 *
 * A step costs, besides the all-reduce of the gradients, one all-gather of the parameters: each rank sends what it owns to the others.
 */
export class OptimizerShard implements OptimizerSynchronizer {
  readonly #group: ProcessGroup;
  readonly #optimizer: GradientOptimizer;
  readonly #room: SharedRoom;
  /** The parameters in the optimizer's order, with their names and owners. */
  readonly #parameters: readonly { name: string; variable: tf.Variable; owner: number }[];
  /** What is shared at a time, by owner. */
  readonly #pieces: readonly (readonly (readonly tf.Variable[])[])[];
  /** The numbers of the largest. */
  readonly #most: number;

  private constructor(group: ProcessGroup, optimizer: GradientOptimizer, named: ReadonlyMap<string, tf.Variable>) {
    const names = new Map([...named].map(([name, variable]) => [variable, name]));
    const variables = optimizer.parameters, owners = planOwners(variables.map(({ size }) => size), group.worldSize);
    this.#group = group;
    this.#optimizer = optimizer;
    this.#room = new SharedRoom(group, { purpose, use: "gather" });
    this.#parameters = variables.map((variable, i) => ({ name: names.get(variable)!, variable, owner: owners[i] }));
    optimizer.updateOnly(this.#ownedBy(group.rank));
    // Cut by sizes alone, so that ranks that disagree about gradients still meet in as many rounds.
    this.#pieces = Array.from(
      { length: group.worldSize },
      (_, rank) => chunks(this.#ownedBy(rank), ({ size }) => size * 4),
    );
    this.#most = Math.max(...this.#pieces.flat().map(lengthOf));
  }

  /** Spreads the state of an optimizer that has none yet. @throws Error if it cannot be, or if the ranks gave it different parameters */
  static async of(
    group: ProcessGroup,
    optimizer: Optimizer,
    named: ReadonlyMap<string, tf.Variable>,
  ): Promise<OptimizerShard> {
    const shard = new OptimizerShard(group, ownOptimizer(optimizer, "`shardOptimizerState` cannot spread"), named);
    const parameters = new Map(shard.#parameters.map(({ name, variable }) => [name, variable]));
    await checkSameModel(group, parameters, `what ${optimizer.name} updates`);
    return shard;
  }

  async afterStep(): Promise<void> {
    if (this.#group.worldSize === 1) return;
    const rounds = Math.max(...this.#pieces.map(({ length }) => length));
    for (let round = 0; round < rounds; round++) {
      await this.#share(this.#pieces.map((pieces) => updatedOf(pieces[round] ?? [])));
    }
  }

  async gatherState(): Promise<StateDict> {
    const own = this.#optimizer.stateDict(), group = this.#group;
    if (group.worldSize === 1) return own;
    const purpose = "the optimizer's state";
    // Tensor by tensor: that of a large embedding alone is as much as one message may be.
    const items = Object.entries(own.state as Record<string, StateDict>)
      .flatMap(([name, state]) => Object.entries(state).map(([key, value]) => ({ name, key, value: value! })));
    const pieces = chunks(items, ({ value }) => value instanceof tf.Tensor ? value.size * 4 : 8);
    const rounds = Math.max(...await group.allGatherObjects(pieces.length, { purpose }));
    const whole: Record<string, StateDict> = {};
    for (let round = 0; round < rounds; round++) {
      const piece = await snapshot(pieces[round] ?? []) as unknown as typeof items;
      for (const { name, key, value } of (await group.gatherObjects(piece, { purpose }) ?? []).flat()) {
        (whole[name] ??= {})[key] = value;
      }
    }
    if (group.rank !== 0) return own;
    // In the order of an optimizer that has it all, so that the files are the same.
    const order = this.#parameters.map(({ name }) => name).filter((name) => name in whole);
    return { ...own, state: Object.fromEntries(order.map((name) => [name, whole[name]])) };
  }

  #ownedBy(rank: number): tf.Variable[] {
    return this.#parameters.filter(({ owner }) => owner === rank).map(({ variable }) => variable);
  }

  /** Every rank gets what the owners updated. @param updated by owner */
  #share(updated: readonly (readonly tf.Variable[])[]): Promise<void> {
    const { rank } = this.#group, sent = updated[rank];
    const received = updated.flatMap((variables, owner) => owner === rank ? [] : variables);
    return exchangeVariables({ sent, received }, async (values) => {
      await this.#room.reserve(this.#most);
      const arrays = await this.#allGather(join(this.#room.take(lengthOf(sent)), values), updated.map(lengthOf));
      return updated.flatMap((variables, owner) => owner === rank ? [] : partsOf(arrays[owner], variables));
    });
  }

  async #allGather(
    own: Float32Array<ArrayBuffer>,
    lengths: readonly number[],
  ): Promise<Float32Array<ArrayBuffer>[]> {
    const arrays = await this.#group.allGather(own, { purpose });
    const wrong = arrays.findIndex(({ length }, rank) => length !== lengths[rank]);
    if (wrong < 0) return arrays;
    throw new Error(
      `rank ${wrong} updated ${
        arrays[wrong].length
      } numbers of the parameters that it owns, but by the gradients of rank ${this.#group.rank} it should ` +
        `have been ${
          lengths[wrong]
        }: the ranks stepped with gradients that were not synchronised. End the accumulation with a backward pass that is.`,
    );
  }
}

/** What has a gradient was updated, on its owner: gradients are the same on all ranks. */
function updatedOf(variables: readonly tf.Variable[]): tf.Variable[] {
  return variables.filter((variable) => gradientOf(variable));
}
