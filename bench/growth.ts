import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { say } from '../scripts/setup/say.mjs'
import { Bench, type BenchBroker } from './bench.ts'
import { lines, publishSide } from './cases/publish.ts'
import { filled, readSide } from './cases/read.ts'
import { measure, type Amount, type Figures, type Side } from './compare.ts'
import type { BenchGateway } from './gateway.ts'
import { toSvg, type Plot, type Series } from './svg.ts'

const MIB = 1024 * 1024
const LINES = `messages/lines?limit=10000&maxBytes=${MIB}`
const CONNECTIONS = 32
// The size of the streams that are read: a round seldom reaches the end of one.
const FILLED_BYTES = 200_000_000

/** A quantity that grows, and what is measured at each of its sizes. */
interface Growth {
  readonly file: string
  readonly plot: Omit<Plot, 'series'>
  readonly sizes: readonly number[]
  /** By the name of the line in the plot. */
  readonly lines: Readonly<Record<string, (bench: Bench, size: number) => Promise<Side>>>
  y (figures: Figures, size: number): number
}

const GROWTHS: readonly Growth[] = [
  {
    file: 'batch-size',
    plot: {
      title: 'Messages of 100 B, by the size of a request',
      xLabel: 'messages in a request',
      yLabel: 'messages a second',
      isLogarithmic: true
    },
    sizes: [1, 10, 100, 1000, 10_000],
    lines: {
      'publish, 32 clients': async (bench, size) => await publishing(bench, lines(size, 100)),
      'read, 1 client': async (bench, size) => {
        const gateway = await bench.gateway()
        const { stream } = await filled(bench, 1_000_000, lines(5000, 100))
        return await readSide(bench, gateway, [stream], `messages/lines?limit=${size}&maxBytes=${16 * MIB}`)
      }
    },
    y: ({ rate }) => rate
  },
  {
    file: 'message-size',
    plot: { title: 'Bytes a second, by the size of a message', xLabel: 'bytes of a message', yLabel: 'MB a second' },
    sizes: [10, 100, 1000, 10_000, 100_000],
    lines: {
      'publish, 32 clients': async (bench, size) => await publishing(bench, lines(batchOf(size), size)),
      'read, 1 client': async (bench, size) => {
        const gateway = await bench.gateway()
        const { stream } = await filled(bench, Math.min(2_000_000, FILLED_BYTES / size), lines(batchOf(size), size))
        return await readSide(bench, gateway, [stream], LINES)
      }
    },
    y: ({ rate }, size) => rate * size / 1e6
  },
  {
    file: 'streams',
    plot: {
      title: 'Lines of 100 B, by the number of streams',
      xLabel: 'streams, written in turn',
      yLabel: 'messages a second'
    },
    sizes: [1, 10, 100, 1000],
    lines: {
      '1,000 a request': async (bench, size) => await publishing(bench, lines(1000, 100), size),
      '100 a request': async (bench, size) => await publishing(bench, lines(100, 100), size)
    },
    y: ({ rate }) => rate
  },
  {
    file: 'readers',
    plot: {
      title: 'Lines of 100 B, by the number of readers',
      xLabel: 'clients that read the whole stream',
      yLabel: 'messages a second, all together'
    },
    sizes: [1, 2, 4, 8, 16, 32],
    lines: {
      'polls of 1 MiB': async (bench, size) => await reading(bench, size, LINES),
      'polls of 100 messages': async (bench, size) => await reading(bench, size, 'messages/lines?limit=100')
    },
    y: ({ rate }) => rate
  },
  {
    file: 'gateways',
    plot: {
      title: 'One stream, by the number of gateways',
      xLabel: 'gateways on this machine',
      yLabel: 'messages a second, all together'
    },
    sizes: [1, 2, 3, 4],
    lines: {
      'publish lines': async (bench, size) => await together(bench, size, async (gateway, stream) =>
        await publishSide(bench, gateway, stream, lines(1000, 100), CONNECTIONS / size)
      ),
      'read lines': async (bench, size) => await together(bench, size, async (gateway, stream) =>
        await readSide(bench, gateway, [stream], LINES)
      )
    },
    y: ({ rate }) => rate
  }
]

/** Measures every growth, writes a plot of each into the folder, and returns the figures as tables in Markdown. */
export async function growth (broker: BenchBroker, folder: string, amount: Amount): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const tables: string[] = []
  for (const each of GROWTHS) {
    const series: Series[] = []
    for (const [name, open] of Object.entries(each.lines)) {
      const points = []
      for (const size of each.sizes) {
        const figures = await figuresOf(broker, async (bench) => await open(bench, size), amount)
        points.push({ x: size, y: each.y(figures, size) })
      }
      series.push({ name, points })
      say(`${each.file}, ${name}: ${points.map(({ x, y }) => `${x}: ${y.toPrecision(3)}`).join(', ')}`)
    }
    writeFileSync(join(folder, `${each.file}.svg`), toSvg({ ...each.plot, series }))
    tables.push(tableOf(each, series))
  }
  return tables.join('\n\n')
}

async function figuresOf (
  broker: BenchBroker, open: (bench: Bench) => Promise<Side>, amount: Amount
): Promise<Figures> {
  const bench = new Bench(broker)
  try {
    return await measure(await open(bench), amount)
  } finally {
    await bench.close()
  }
}

async function publishing (bench: Bench, batch: ReturnType<typeof lines>, streams = 1): Promise<Side> {
  const gateway = await bench.gateway()
  const names: string[] = []
  for (let created = 0; created < streams; created++) names.push(await bench.stream(gateway))
  return await publishSide(bench, gateway, names, batch, CONNECTIONS)
}

async function reading (bench: Bench, clients: number, query: string): Promise<Side> {
  const gateway = await bench.gateway()
  const { stream } = await filled(bench, 1_000_000, lines(5000, 100))
  return await readSide(bench, gateway, Array.from({ length: clients }, () => stream), query)
}

async function together (
  bench: Bench, count: number, open: (gateway: BenchGateway, stream: string) => Promise<Side>
): Promise<Side> {
  const { stream } = await filled(bench, 1_000_000, lines(5000, 100))
  const gateways = []
  for (let started = 0; started < count; started++) gateways.push(await bench.gateway())
  const sides = await Promise.all(gateways.map(async (gateway) => await open(gateway, stream)))
  return {
    processes: {},
    pid: gateways[0]?.pid ?? 0,
    async round (seconds) {
      const samples = await Promise.all(sides.map(async (side) => await side.round(seconds)))
      return {
        count: samples.reduce((sum, { count }) => sum + count, 0),
        seconds: Math.max(...samples.map(({ seconds }) => seconds)),
        latenciesMs: []
      }
    }
  }
}

// About 100 kB a request.
function batchOf (bytes: number): number {
  return Math.max(1, Math.min(1000, Math.round(100_000 / bytes)))
}

function tableOf ({ plot, sizes }: Growth, series: readonly Series[]): string {
  const head = [plot.xLabel, ...series.map(({ name }) => `${name}: ${plot.yLabel}`)]
  const rows = sizes.map((size) => [
    size.toLocaleString('en'),
    ...series.map(({ points }) => Math.round(points.find(({ x }) => x === size)?.y ?? NaN).toLocaleString('en'))
  ])
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
