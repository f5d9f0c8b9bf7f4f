import closeWithGrace from 'close-with-grace'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { buildApp } from './app.ts'
import { loadConfig, type Config } from './config.ts'
import { openAuditFile, openLog, type FileLog, type Log } from './logger.ts'
import { describeListenError, type ListenAddress } from './settings/listen-error.ts'
import { ConfigError } from './settings/setting-reader.ts'

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
  const auditFile = openAudit(config, logger)
  const app = await buildApp(config, logger, auditFile?.logger)
  // SIGHUP ends a process by default. A gateway with files of keys, or with an audit file, reads and opens them again.
  const takesHup = app.hasReloadedFiles() || auditFile !== undefined
  if (takesHup) {
    process.on('SIGHUP', () => {
      auditFile?.reopen()
      void app.reloadFiles()
    })
  }
  const skip = takesHup ? ['SIGHUP' as const] : []
  // The grace after the drain timeout is for closing what does not depend on clients.
  const delay = config.drainTimeoutMs + CLOSE_GRACE_MS
  closeWithGrace({ delay, skip, logger, ...lastWords }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'the process ends because of an error')
    else logger.info({ signal }, 'shutting down')
    try {
      await app.shutDown()
    } finally {
      await Promise.all([close(), auditFile?.close()])
    }
  })
  const { http, operationsPort } = config
  const refuse = (address: ListenAddress) => async (error: unknown): Promise<never> => {
    await app.close()
    await Promise.all([close(), auditFile?.close()])
    const message = describeListenError(error, address)
    throw message === undefined ? error : new ConfigError(message)
  }
  await app.listenForOperations().catch(refuse({ ...operationsPort, settings: 'OPS' }))
  // The size of the accept queue. With Node's default of 511, each further connection of a burst would lose a second,
  // after which TCP tries again.
  await app.listen({ host: http.host, port: http.port, backlog: http.maxConnections })
    .catch(refuse({ ...http, settings: 'HTTP' }))
  app.reportStart()
}

function openAudit ({ audit: { log, path } }: Config, logger: Log['logger']): FileLog | undefined {
  if (path === undefined || log === 'off') return undefined
  try {
    // Who reads it learns who does what.
    closeSync(openSync(path, 'a', 0o600))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? `: ${String(error.code)}` : ''
    throw new ConfigError(`Bad configuration: AUDIT_LOG_PATH names a file that cannot be written${code}`)
  }
  return openAuditFile(path, logger)
}
