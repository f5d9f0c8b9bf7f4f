import { ledgerLines } from '../support/workload/index.ts'
import { readOptions, USAGE, type SoakOptions } from './options.ts'
import { choose, seededRandom } from './random.ts'
import { runRound } from './round.ts'
import { SCENARIOS, type Scenario } from './scenarios/index.ts'
import { addTo, loadState, newState, saveState, type SoakState, type Totals } from './state.ts'
import { BUDGET_BYTES, World } from './world.ts'

// Starting a cluster takes as long as a round, so this many rounds of one kind follow each other.
const ROUNDS_A_WORLD = 8

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { stopping.abort() })
process.exitCode = await main()

async function main (): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help' || options === 'list') {
    say(options === 'help' ? USAGE : SCENARIOS.map(described).join('\n'))
    return 0
  }
  const state = options.isResumed ? loadState(options.seed) : newState(options.seed)
  say(`Seed ${state.seed}, ${options.minutes} minutes, from round ${state.rounds + 1}.`)
  say(`Continue later with: npm run soak -- --seed ${state.seed} --resume`)
  await soak(options, state)
  printLedger(state)
  return state.broken.length === 0 ? 0 : 1
}

async function soak (options: SoakOptions, state: SoakState): Promise<void> {
  const endMs = performance.now() + options.minutes * 60_000
  const lastRound = state.rounds + options.maxRounds
  const isOver = (): boolean => performance.now() > endMs || state.rounds >= lastRound || stopping.signal.aborted
  while (!isOver()) {
    const { nodes } = choose(options.scenarios, seededRandom(state.seed, Math.floor(state.rounds / ROUNDS_A_WORLD)))
    const world = await World.start({ nodes, version: options.version })
    try {
      const end = (Math.floor(state.rounds / ROUNDS_A_WORLD) + 1) * ROUNDS_A_WORLD
      let isUsable = true
      const scenarios = options.scenarios.filter((scenario) => scenario.nodes === nodes)
      while (isUsable && state.rounds < end && !isOver()) isUsable = await nextRound(world, scenarios, state)
    } finally {
      await end(world, state)
      saveState(state)
    }
  }
}

/**
 * @returns whether the next round can have the same world: not when this round did not come to its end, which breaks a
 * promise like any other
 */
async function nextRound (world: World, scenarios: readonly Scenario[], state: SoakState): Promise<boolean> {
  const round = state.rounds + 1
  const scenario = choose(scenarios, seededRandom(state.seed, round, 1))
  try {
    const { report, broken, seconds } = await runRound(world, scenario, [state.seed, round])
    say(`round ${round}  ${scenario.name}  ${seconds.toFixed(1)} s`)
    for (const line of ledgerLines(report)) say(`  ${line}`)
    for (const line of broken) say(`  BROKEN: ${line}`)
    addTo(state.unnamed, report.unnamed)
    addTo(state.named, report.named)
    state.broken.push(...broken.map((line) => `round ${round}, ${scenario.name}: ${line}`))
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.stack : String(error)
    const line = `round ${round}, ${scenario.name}: it did not come to its end: ${reason}`
    say(`  BROKEN: ${line}`)
    world.look()
    state.broken.push(line, ...world.alarms.splice(0))
    return false
  } finally {
    state.rounds = round
    state.made[scenario.name] = (state.made[scenario.name] ?? 0) + 1
    state.peakBytes = Math.max(state.peakBytes, world.peakBytes)
    saveState(state)
  }
}

async function end (world: World, state: SoakState): Promise<void> {
  const { idleBytes, peakBytes } = world
  await world.close()
  for (const gateway of world.gateways) {
    const { code, signal } = await gateway.ended
    if (code === 0) continue
    const how = `${String(code ?? signal)}: ${gateway.output.slice(-500)}`
    state.broken.push(`a gateway that was told to end ended with ${how}`)
  }
  const ratio = (peakBytes / (idleBytes + BUDGET_BYTES)).toFixed(2)
  say(`memory: ${mib(idleBytes)} MiB idle, ${mib(peakBytes)} MiB at the peak, ${ratio} times what is budgeted`)
}

function printLedger (state: SoakState): void {
  const made = Object.entries(state.made).map(([name, times]) => `${name} ${times}`)
  say(`\n${state.rounds} rounds: ${made.join(', ')}`)
  printTotals('without names', state.unnamed)
  printTotals('with names   ', state.named)
  say(`memory at the peak: ${mib(state.peakBytes)} MiB`)
  say(state.broken.length === 0 ? 'Every promise was kept.' : `BROKEN:\n${state.broken.join('\n')}`)
}

function printTotals (side: string, totals: Totals): void {
  const { sent, confirmed, unknown, failed, stored, lost, repeated, missed, redelivered } = totals
  const told = `${sent} sent, ${confirmed} confirmed, ${unknown} unknown, ${failed} failed`
  const found = `${stored} read, ${lost} lost, ${repeated} repeated`
  say(`${side}: ${told}; ${found}, ${missed} missed by readers, ${redelivered} redelivered to consumers`)
}

function described ({ name, nodes }: Scenario): string {
  return `${name} (${nodes === 1 ? 'one node' : 'cluster'})`
}

function mib (bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0)
}

function say (line: string): void {
  process.stdout.write(`${line}\n`)
}
