import { brokerScenarios } from './broker.ts'
import { clientScenarios } from './clients.ts'
import { clusterScenarios } from './cluster.ts'
import { gatewayScenarios } from './gateway.ts'
import { liveScenarios } from './live.ts'
import { networkScenarios } from './network.ts'
import { pushScenarios } from './push.ts'
import { sharedPartitionScenarios } from './shared-partitions.ts'
import type { Scenario } from './scenario.ts'

export type { Scenario } from './scenario.ts'

/** All scenarios, by the part that fails. */
export const SCENARIOS: readonly Scenario[] = [
  ...brokerScenarios,
  ...networkScenarios,
  ...gatewayScenarios,
  ...clientScenarios,
  ...liveScenarios,
  ...sharedPartitionScenarios,
  ...pushScenarios,
  ...clusterScenarios
]
