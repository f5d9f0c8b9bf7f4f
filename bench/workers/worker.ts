import { once } from 'node:events'

/** What a worker has done in one round. */
export interface Sample {
  /** Messages, or whatever else the case counts. */
  readonly count: number
  /** From the first request to the last answer. */
  readonly seconds: number
  /** How long each request, or wake-up, took, ms, in no order; empty when that is not measured. */
  readonly latenciesMs: readonly number[]
}

/** One round of work, of about this many seconds. */
export type Round = (seconds: number) => Promise<Sample>

/**
 * Runs a worker: a process that does one kind of work, a round each time it is told to. The measured program, its
 * baseline and the load generator have a process each, so that none waits for the event loop of another.
 *
 * @param prepare gets the configuration given to `BenchWorker.start`; connects, warms up and returns the round
 */
export async function work<Config> (prepare: (config: Config) => Promise<Round>): Promise<void> {
  // A configuration may hold a request, which is too much for a command line.
  const [config]: Config[] = await once(process, 'message')
  if (config === undefined) throw new Error('a worker needs its configuration')
  const round = await prepare(config)
  process.on('message', (seconds) => {
    round(Number(seconds)).then((sample) => { process.send?.(sample) }, fail)
  })
  // The process that started this one has ended.
  process.on('disconnect', () => { process.exit() })
  process.send?.('ready')
}

function fail (error: unknown): void {
  console.error(error)
  process.exit(1)
}
