import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { launchChromium } from '../../test/support/chromium.ts'
import type { Prometheus } from '../../test/support/prometheus.ts'
import { say, Stop } from '../setup/say.mjs'
import { linesOf, type Span } from './answers.ts'
import { Cleanup } from './cleanup.ts'
import { pageOf, WIDTH_PX } from './page.ts'
import { byRow, PICTURES, readPanels } from './panels.ts'
import { startScene } from './scene.ts'

const USAGE = `npm run dashboard [-- OPTIONS]
  --seconds 200        how long the load lasts
  --broker 4.3         series of the RabbitMQ to start (4.0 or 4.3)
  --out FOLDER         where the pictures go (docs/monitoring)`

// Before that the rates have too little to say.
const WARM_UP_SECONDS = 20
// At the end everything stops.
const COOL_DOWN_SECONDS = 5
// Of a line. More make the files larger, and show nothing else.
const POINTS = 100

/** @returns the exit code */
export async function main (): Promise<number> {
  const { seconds, broker, out } = options()
  const cleanup = new Cleanup()
  try {
    const scene = await startScene(cleanup, broker)
    const begin = Math.ceil(Date.now() / 1000)
    say(`The load runs for ${seconds} seconds ...`)
    await scene.load(seconds)
    const [start, end] = [begin + WARM_UP_SECONDS, begin + seconds - COOL_DOWN_SECONDS]
    await draw(cleanup, scene.prometheus, { start, end, step: Math.ceil((end - start) / POINTS) }, out)
    return 0
  } finally {
    await cleanup.close()
  }
}

async function draw (cleanup: Cleanup, prometheus: Prometheus, span: Span, out: string): Promise<void> {
  const browser = await launchChromium(cleanup)
  const rows = byRow(readPanels())
  mkdirSync(out, { recursive: true })
  for (const [name, titles] of Object.entries(PICTURES)) {
    const panels = titles.flatMap((title) => rows.get(title) ?? [])
    const answered = await Promise.all(panels.map(async (panel) => {
      return { panel, lines: await linesOf(panel, prometheus, span) }
    }))
    const page = await browser.newPage({ viewport: { width: WIDTH_PX, height: 100 } })
    await page.setContent(pageOf(answered, span))
    await page.screenshot({ path: `${out}/${name}.png`, fullPage: true })
    await page.close()
    const empty = answered.filter(({ panel, lines }) => lines.length === 0 && panel.type !== 'row')
    say(`${out}/${name}.png${empty.length === 0 ? '' : `; empty: ${empty.map(({ panel }) => panel.title).join(', ')}`}`)
  }
}

function options (): { seconds: number, broker: string | undefined, out: string } {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '200' },
        broker: { type: 'string' },
        out: { type: 'string', default: 'docs/monitoring' }
      }
    })
    const seconds = Number(values.seconds)
    if (!(seconds >= 60)) throw new Error('--seconds has to be a number of 60 or more')
    return { seconds, broker: values.broker, out: values.out }
  } catch (error) {
    throw new Stop(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  }
}
