import { cpuSeconds, median, quantile, residentBytes } from './measure.ts'
import type { Sample } from './workers/worker.ts'

/** One of the two sides of a comparison. */
export interface Side {
  /** The processes whose CPU time is counted, by what they do. */
  readonly processes: Readonly<Record<string, number | undefined>>
  /** The process whose memory is measured. */
  readonly pid: number
  round (seconds: number): Promise<Sample>
}

/** Medians over the rounds of one side. */
export interface Figures {
  /** Messages a second. */
  readonly rate: number
  /** Of each round. */
  readonly rates: readonly number[]
  /** Of single requests or wake-ups, ms; NaN when not measured. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU seconds for each second of the round, by process: 1 is a whole core. */
  readonly cores: Readonly<Record<string, number>>
  /** CPU seconds of all rounds together, by process. */
  readonly cpuSeconds: Readonly<Record<string, number>>
  readonly peakResidentBytes: number
}

export interface Comparison {
  readonly candidate: Figures
  readonly baseline: Figures
  /** Median of the ratios of neighbouring rounds. */
  readonly ratio: number
}

/** How much is measured. */
export interface Amount {
  readonly rounds: number
  readonly seconds: number
}

const WARM_UP_SECONDS = 1

/** Measures candidate, baseline, candidate, baseline ... in turn, so that other load on the machine affects both. */
export async function compare (candidate: Side, baseline: Side, { rounds, seconds }: Amount): Promise<Comparison> {
  const sides = [candidate, baseline].map((side) => new MeasuredSide(side))
  for (const side of sides) await side.warmUp()
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) await side.round(seconds)
  }
  const [figures, baselineFigures] = sides.map((side) => side.figures())
  if (figures === undefined || baselineFigures === undefined) throw new Error('a comparison has two sides')
  const ratios = figures.rates.map((rate, index) => rate / (baselineFigures.rates[index] ?? NaN))
  return { candidate: figures, baseline: baselineFigures, ratio: median(ratios) }
}

/** Measures one side alone. */
export async function measure (side: Side, { rounds, seconds }: Amount, { isCold = false } = {}): Promise<Figures> {
  const measured = new MeasuredSide(side)
  if (!isCold) await measured.warmUp()
  for (let round = 0; round < rounds; round++) await measured.round(seconds)
  return measured.figures()
}

class MeasuredSide {
  readonly #side: Side
  readonly #rates: number[] = []
  readonly #p50Ms: number[] = []
  readonly #p99Ms: number[] = []
  readonly #cpuSeconds = new Map<string, number>()
  #seconds = 0

  constructor (side: Side) {
    this.#side = side
  }

  async warmUp (): Promise<void> {
    await this.#side.round(WARM_UP_SECONDS)
  }

  async round (seconds: number): Promise<void> {
    const before = this.#cpuOfAll()
    const sample = await this.#side.round(seconds)
    for (const [name, used] of this.#cpuOfAll()) {
      this.#cpuSeconds.set(name, (this.#cpuSeconds.get(name) ?? 0) + used - (before.get(name) ?? 0))
    }
    this.#seconds += sample.seconds
    this.#rates.push(sample.count / sample.seconds)
    this.#p50Ms.push(quantile(sample.latenciesMs, 0.5))
    this.#p99Ms.push(quantile(sample.latenciesMs, 0.99))
  }

  figures (): Figures {
    return {
      rate: median(this.#rates),
      rates: this.#rates,
      p50Ms: median(this.#p50Ms),
      p99Ms: median(this.#p99Ms),
      cores: Object.fromEntries([...this.#cpuSeconds].map(([name, used]) => [name, used / this.#seconds])),
      cpuSeconds: Object.fromEntries(this.#cpuSeconds),
      peakResidentBytes: residentBytes(this.#side.pid, 'peak')
    }
  }

  #cpuOfAll (): Map<string, number> {
    return new Map(Object.entries(this.#side.processes).flatMap(([name, pid]) =>
      pid === undefined ? [] : [[name, cpuSeconds(pid)] as const]
    ))
  }
}
