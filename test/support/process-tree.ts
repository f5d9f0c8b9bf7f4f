import { readdirSync, readFileSync } from 'node:fs'

/** The processes that a process has started, and those that these have started, by pid (Linux). */
export function descendantsOf (pid: number): number[] {
  const pids = readdirSync('/proc').map(Number).filter((each) => each > 0)
  const parents = new Map(pids.map((each) => [each, parentOf(each)]))
  const found: number[] = []
  for (let generation = [pid]; generation.length > 0;) {
    generation = [...parents].filter(([, parent]) => generation.includes(parent ?? 0)).map(([each]) => each)
    found.push(...generation)
  }
  return found
}

/** The command lines of those that still run. */
export function commandsOf (pids: readonly number[]): string[] {
  return pids.flatMap((pid) => {
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')]
    } catch {
      return []
    }
  })
}

/** Whether a process has ended. One that nobody has asked for its exit code counts too. */
export function hasEnded (pid: number): boolean {
  const state = statOf(pid)?.[0]
  return state === undefined || state === 'Z'
}

function parentOf (pid: number): number | undefined {
  const parent = statOf(pid)?.[1]
  return parent === undefined ? undefined : Number(parent)
}

// pid (name) state parent ...
function statOf (pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')
  } catch {
    return undefined
  }
}
