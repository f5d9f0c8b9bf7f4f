import { parseArgs } from 'node:util'
import { Stop } from '../scripts/setup/say.mjs'

export interface Options {
  /** Names of cases; undefined: all. */
  readonly cases: readonly string[] | undefined
  readonly rounds: number
  readonly seconds: number
  /** A file for the figures. */
  readonly json: string | undefined
  /** RabbitMQ series; undefined: any that is new enough. */
  readonly broker: string | undefined
  /** A folder for the plots of docs/performance.md, which are measured instead of the cases. */
  readonly plots: string | undefined
  /** Fail when a ratio is below half of its goal. */
  readonly guard: boolean
  readonly help: boolean
}

export const USAGE = `npm run bench -- [OPTIONS]
  --cases a,b       only these cases
  --rounds 5        rounds of each side
  --seconds 3       of each round
  --broker 4.3      series of RabbitMQ (4.0 or 4.3) that is started; with TEST_STREAM_URL and TEST_MANAGEMENT_URL set,
                    that one is used
  --json FILE       write the figures there
  --plots FOLDER    measure how the cost grows, in place of the cases, and write the plots there
  --guard           fail when a ratio is below half of its goal`

/** @throws Stop with the usage when they are wrong */
export function readOptions (args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        cases: { type: 'string' },
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '3' },
        broker: { type: 'string' },
        json: { type: 'string' },
        plots: { type: 'string' },
        guard: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false }
      }
    })
    return {
      cases: values.cases?.split(','),
      rounds: positive('rounds', values.rounds),
      seconds: positive('seconds', values.seconds),
      broker: values.broker,
      json: values.json,
      plots: values.plots,
      guard: values.guard,
      help: values.help
    }
  } catch (error) {
    throw new Stop(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  }
}

function positive (name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${name} is a number above 0`)
  return value
}
