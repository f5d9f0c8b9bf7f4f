import { readFileSync } from 'node:fs'
import type { Environment } from '../settings/setting-reader.ts'
import { VERSION } from '../version.ts'
import type { Terminal } from './terminal.ts'

/** What a command gets of its process. */
export interface CommandProcess extends Terminal {
  readonly env: Environment
}

const USAGE = `Usage: rabbitmq-stream-gateway [COMMAND]

  serve             Runs the gateway. It is what runs without a command.
  keys create ...   Makes an API key; "keys help" shows how.
  keys hash         Prints the hash of a key.
  check-config      Says what is wrong with the settings. It connects to nothing.
  health [ready]    Asks the gateway that runs with these settings on this machine whether it is ready.
  health live       Asks it whether it runs, whatever the broker does.
  help, --help      Prints this.
  --version         Prints the version.

Everything is set by environment variables, for health and check-config too. Exit codes: 0 is good, 1 is not good,
2 means wrong arguments. See docs/configuration.md and docs/deploy.md.
`

/**
 * Runs one of the commands beside `serve`. Each is loaded alone: a health check starts every few seconds.
 *
 * @returns the exit code: 2 when there is no such command, or its arguments are wrong
 */
export async function runCommand (
  command: string, args: readonly string[], { env, ...terminal }: CommandProcess
): Promise<number> {
  const { stdout, stderr } = terminal
  if (command === 'keys') return await (await import('./keys.ts')).runKeys(args, terminal)
  const isHealth = command === 'health'
  if (args.length > (isHealth ? 1 : 0)) {
    stderr.write(`"${command}" takes no ${isHealth ? 'further ' : ''}arguments; --help shows the commands\n`)
    return 2
  }
  switch (command) {
    case 'check-config':
      return (await import('./check-config.ts')).runCheckConfig(env, (path) => readFileSync(path, 'utf8'), terminal)
    case 'health': return await (await import('./health.ts')).runHealth(args[0], env, terminal)
    case 'help':
    case '--help':
    case '-h':
      stdout.write(USAGE)
      return 0
    case '--version':
    case '-v':
      stdout.write(`${VERSION}\n`)
      return 0
    default:
      stderr.write(`There is no command "${command}"; --help shows the commands\n`)
      return 2
  }
}
