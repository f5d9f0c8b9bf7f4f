import type { FastifyInstance } from 'fastify'
import type { ReloadEvent } from '../access/audit/events.ts'
import type { ReloadedFileOptions } from './reloads.ts'

/** A file of callers, and the callers in it. */
export interface CallerFile<E> {
  readonly setting: string
  /** Undefined where the entries are in a setting. */
  readonly file: ReloadedFileOptions['files'][number] | undefined
  readonly everySeconds: number
  readonly parse: (text: string) => readonly E[]
  readonly callers: { replaceBy: (entries: readonly E[]) => void, close: () => void }
  /** What the audit log has when this many entries were read again. */
  readonly event: (count: number) => ReloadEvent
}

/** Has the callers follow the file: it is read again when it changes. Their timers end with the application. */
export function followCallerFile<E> (app: FastifyInstance, followed: CallerFile<E>): void {
  const { setting, file, everySeconds, parse, callers, event } = followed
  app.addHook('onClose', (_app, done) => {
    callers.close()
    done()
  })
  if (file === undefined) return
  app.reloadFile({
    setting,
    files: [file],
    everySeconds,
    load ([content = '']) {
      const entries = parse(content)
      callers.replaceBy(entries)
      const read = event(entries.length)
      app.audit(undefined, read)
      const { event: _event, ...counts } = read
      return counts
    }
  })
}
