import { compare, type Side } from '../compare.ts'
import { ratioGoal, type Case } from './case.ts'
import { singlesSide } from './publish.ts'

// Much more often than a Prometheus, which asks about every 15 seconds.
const SCRAPE_INTERVAL_MS = 500

export const scrapeCases: readonly Case[] = [
  {
    name: 'metrics',
    workload: `publish-one, and /metrics read every ${SCRAPE_INTERVAL_MS} ms`,
    baseline: 'the same without',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const alone = await singlesSide(bench, gateway)
      const scraped: Side = {
        ...alone,
        async round (seconds) {
          const over = new AbortController()
          const scraping = scrape(`${gateway.url}/metrics`, over.signal)
          const sample = await alone.round(seconds)
          over.abort()
          await scraping
          return sample
        }
      }
      const comparison = await compare(scraped, alone, amount)
      return { ...comparison, goals: [ratioGoal(0.95, comparison.ratio)] }
    }
  }
]

async function scrape (url: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const response = await fetch(url)
    if (!response.ok) throw new Error(`${url} answered ${response.status}`)
    await response.arrayBuffer()
    await new Promise((resolve) => setTimeout(resolve, SCRAPE_INTERVAL_MS))
  }
}
