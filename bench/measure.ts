import { readFileSync } from 'node:fs'

/** The middle value; of an even number of values, the mean of the two in the middle. NaN without values. */
export function median (values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Interpolated linearly between the two nearest values. NaN without values. */
export function quantile (values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * part
  const low = sorted[Math.floor(at)] ?? NaN
  const high = sorted[Math.ceil(at)] ?? NaN
  return low + (high - low) * (at - Math.floor(at))
}

// The unit of /proc/PID/stat: sysconf(_SC_CLK_TCK), 100 on every Linux that Node.js runs on.
const TICKS_PER_SECOND = 100

/** User and system time of a process with all its threads, seconds (Linux). */
export function cpuSeconds (pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Resident memory now, or its peak, bytes (Linux). */
export function residentBytes (pid: number, which: 'now' | 'peak'): number {
  const field = which === 'now' ? 'VmRSS' : 'VmHWM'
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
  return Number(kibibytes ?? NaN) * 1024
}
