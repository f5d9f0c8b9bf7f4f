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
  /** Fail when a ratio is below its guard. */
  readonly guard: boolean
  readonly help: boolean
}

export const USAGE = `npm run bench -- [OPTIONS]
  --cases a,b       run only these cases
  --rounds 5        rounds of each side
  --seconds 3       seconds of each round
  --broker 4.3      series of the RabbitMQ to start (4.0 or 4.3); without effect when TEST_STREAM_URL and
                    TEST_MANAGEMENT_URL name a running one
  --json FILE       write the figures to FILE
  --plots FOLDER    measure how the cost grows, instead of the cases, and write the plots to FOLDER
  --guard           fail when a ratio is below half of its goal, or below the guard of its case`

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
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0`)
  return value
}
