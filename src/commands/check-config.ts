import { checkConfig } from '../config.ts'
import type { Environment, ReadFile } from '../settings/setting-reader.ts'
import type { Terminal } from './terminal.ts'

/**
 * The command `check-config`: every bad setting on a line of its own, then every variable that looks like a setting and
 * is not one. It shows no value. It says what the start would say, and tries neither the broker nor the ports.
 *
 * @returns the exit code: 1 when the gateway would not start
 */
export function runCheckConfig (env: Environment, readFile: ReadFile, { stdout, stderr }: Terminal): number {
  const { problems, warnings } = checkConfig(env, readFile)
  for (const problem of problems) stderr.write(`error: ${problem}\n`)
  for (const warning of warnings) stderr.write(`warning: ${warning}\n`)
  if (problems.length > 0) return 1
  stdout.write('The settings are good.\n')
  return 0
}
