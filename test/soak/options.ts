import { parseArgs } from 'node:util'
import { SCENARIOS, type Scenario } from './scenarios/index.ts'

export interface SoakOptions {
  minutes: number
  maxRounds: number
  seed: number
  /** Continues where the last soak with this seed has stopped. */
  isResumed: boolean
  scenarios: readonly Scenario[]
  version: string | undefined
}

export const USAGE = `npm run soak -- [options]
Makes faults under load, round after round, and holds what clients were told against what the streams have.

  --minutes 60        ends after the round in which the time is over
  --rounds N          ends after this many rounds
  --seed N            the order of the faults; printed when none is given
  --resume            continues after the last round of this seed
  --only a,b          only these scenarios
  --nodes 1|3         only the scenarios of one node, or of a cluster
  --version 4.0|4.3   of RabbitMQ
  --list              prints the scenarios`

/** @throws Error with what is wrong */
export function readOptions (args: string[]): SoakOptions | 'help' | 'list' {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '60' },
      rounds: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      resume: { type: 'boolean', default: false },
      only: { type: 'string' },
      nodes: { type: 'string' },
      version: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return 'help'
  if (values.list) return 'list'
  const names = values.only?.split(',')
  const unknown = names?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name))
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}`)
  const isNamed = (name: string): boolean => names?.includes(name) ?? true
  const isOfNodes = (nodes: number): boolean => values.nodes === undefined || nodes === Number(values.nodes)
  const scenarios = SCENARIOS.filter(({ name, nodes }) => isNamed(name) && isOfNodes(nodes))
  if (scenarios.length === 0) throw new Error('no scenario is left')
  return {
    minutes: atLeastOne('minutes', values.minutes),
    maxRounds: atLeastOne('rounds', values.rounds),
    seed: Number(values.seed),
    isResumed: values.resume,
    scenarios,
    version: values.version
  }
}

function atLeastOne (name: string, text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`--${name} is a number above 0`)
  return number
}
