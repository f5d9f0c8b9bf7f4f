import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { FileWatch, type WatchedFiles } from './file-watch.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Reads files of a plugin now, and again while the app runs: after each `everyMs` and at `reload`. Changed contents
     * that cannot be used are one error line, and what was taken before stays in use.
     *
     * @throws ConfigError when they cannot be used now; then the app must not start
     */
    watchFiles: (files: WatchedFiles) => Promise<FileWatch>
    /** Whether there are files to read again. */
    hasFiles: () => boolean
    /** Reads all watched files again. Never rejects. */
    reload: () => Promise<void>
  }
}

/** Files that are read again without a restart: certificates, keys. */
function reloads (app: FastifyInstance): void {
  const watches: FileWatch[] = []
  app.decorate('watchFiles', async (files: WatchedFiles) => {
    const watch = new FileWatch(files, app.log)
    await watch.readFirst()
    watches.push(watch)
    return watch
  })
  app.decorate('hasFiles', () => watches.length > 0)
  app.decorate('reload', async () => { await Promise.all(watches.map(async (watch) => { await watch.readAgain() })) })
  // Not before: an app that does not start would leave a timer behind.
  app.addHook('onReady', async () => { for (const watch of watches) watch.start() })
  app.addHook('onClose', async () => { for (const watch of watches) watch.close() })
}

export default fp(async (app) => reloads(app), { name: 'reloads' })
