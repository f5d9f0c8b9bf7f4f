import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { DefinitionLog, type DefinitionLogOptions } from '../../src/push/definitions/definition-log.ts'
import { Sealing } from '../../src/push/definitions/sealing.ts'
import type { Broker } from '../../src/streams/index.ts'
import { batchOf } from './streams.ts'

export interface LogLine { readonly level: string, readonly message: string, readonly fields: object }

/** What the names of a test's own streams begin with. The log of definitions is deleted with the test. */
export function newPrefix (t: Test, broker: Broker): string {
  const prefix = `push-${randomUUID()}`
  t.teardown(async () => { await broker.streams.delete(`${prefix}.definitions`).catch(() => {}) })
  return prefix
}

/** What an instance has of the log of definitions, and what it writes into its own log. */
export function openLog (
  t: Test, options: Partial<DefinitionLogOptions> & Pick<DefinitionLogOptions, 'broker' | 'prefix'>
): { log: DefinitionLog, lines: LogLine[] } {
  const lines: LogLine[] = []
  const at = (level: string) => (fields: object, message: string): void => { lines.push({ level, message, fields }) }
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const log = new DefinitionLog({ sealing: new Sealing([]), logger, ...options })
  t.teardown(async () => { await log.close() })
  log.start()
  return { log, lines }
}

/** Writes records into the log of definitions as another program might, or an instance that breaks off. */
export async function writeRecords (broker: Broker, prefix: string, records: Iterable<string | Buffer>): Promise<void> {
  const batch = batchOf([])
  for (const record of records) batch.addData(Buffer.from(record))
  const { confirmed } = await broker.publishing.publish(`${prefix}.definitions`, batch)
  if (confirmed !== batch.count) throw new Error('not all records are confirmed')
}
