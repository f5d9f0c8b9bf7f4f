import type { Workload } from '../../support/workload/index.ts'
import type { World } from '../world.ts'

/** A fault that is made under load, and is over when `run` settles. */
export interface Scenario {
  name: string
  /** What it needs: one node behind a proxy, or a cluster. */
  nodes: 1 | 3
  run: (context: { world: World, workload: Workload, random: () => number }) => Promise<void>
}
