import closeWithGrace from 'close-with-grace'
import { readFileSync } from 'node:fs'
import { buildApp } from './app.ts'
import { loadConfig, type Config } from './config.ts'
import { openLog, type Log } from './logger.ts'
import { ConfigError } from './settings/config-error.ts'
import { describeListenError } from './settings/listen-error.ts'

// The process: environment, configuration, application, signals. Only this file and server.ts use `process`.

const CLOSE_GRACE_MS = 10_000

// These end the process before the log can be written.
const lastWords = {
  onSecondSignal: (signal: unknown) => {
    process.stderr.write(`${String(signal)} again: the process ends at once\n`)
  },
  onSecondError: (error: unknown) => {
    process.stderr.write(
      `another error, the process ends at once: ${error instanceof Error ? error.stack : String(error)}\n`
    )
  }
}

try {
  const { config, warnings } = loadConfig(process.env, (path) => readFileSync(path, 'utf8'))
  const log = openLog(config.logLevel, config.logFormat)
  for (const warning of warnings) log.logger.warn({}, warning)
  await serve(config, log)
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  // One line without a stack: the reader has to correct a variable, not the program.
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

async function serve (config: Config, { logger, close }: Log): Promise<void> {
  const app = await buildApp(config, logger)
  const delay = config.drainTimeoutMs + CLOSE_GRACE_MS
  // Without files to read again, SIGHUP ends the process: its terminal has gone.
  const skip = app.hasFiles() ? ['SIGHUP' as const] : []
  if (app.hasFiles()) process.on('SIGHUP', () => { void app.reload() })
  // The grace after the drain timeout is for closing what does not depend on clients.
  closeWithGrace({ delay, skip, logger, ...lastWords }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'the process ends because of an error')
    else logger.info({ signal }, 'shutting down')
    try {
      await app.shutDown()
    } finally {
      await close()
    }
  })
  const { host, port, maxConnections } = config.http
  // The size of the accept queue. With Node's default of 511, each further connection of a burst would lose a second,
  // after which TCP tries again.
  await app.listen({ host, port, backlog: maxConnections }).catch(async (error: unknown) => {
    await app.close()
    await close()
    const message = describeListenError(error, config.http)
    throw message === undefined ? error : new ConfigError(message)
  })
  app.reportStart()
}
