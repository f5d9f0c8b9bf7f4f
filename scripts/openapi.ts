import { readFile, writeFile } from 'node:fs/promises'
import { pino } from 'pino'
import { buildApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'

/*
 * npm run openapi [-- --check]: writes openapi/openapi.json from the application with its default settings. With
 * --check it only compares.
 */

const FILE = new URL('../openapi/openapi.json', import.meta.url)

const { config } = loadConfig({}, () => '')
const app = await buildApp(config, pino({ level: 'silent' }))
try {
  await app.ready()
  const text = `${JSON.stringify(app.swagger(), null, 2)}\n`
  if (!process.argv.includes('--check')) {
    await writeFile(FILE, text)
  } else if (await readFile(FILE, 'utf8').catch(() => '') !== text) {
    console.error('openapi/openapi.json differs from what the application describes: run `npm run openapi`')
    process.exitCode = 1
  }
} finally {
  await app.close()
}
