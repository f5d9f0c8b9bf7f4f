import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { SubBatchRecords } from './compression.ts'
import type { WorkerAnswer, WorkerTask } from './compression/worker.ts'
import { CompressionError, ProtocolError } from './errors.ts'

/** A compressed sub-entry batch, as an `EntryCursor` finds it. */
export type SubBatch = Omit<WorkerTask, 'maxBytes'>

interface Job {
  readonly batch: SubBatch
  readonly resolve: (records: SubBatchRecords) => void
  readonly reject: (error: ProtocolError) => void
}

// The process has few cores, and its own thread needs one.
const MAX_WORKERS = 2
// Expanding the largest batch takes a fraction of it.
const JOB_MS = 10_000

const WORKER = new URL(`./compression/worker${extname(import.meta.url)}`, import.meta.url)

/** Starts a thread, from the build or from the source. It needs none of the options of this process. */
function startWorker (): Worker {
  if (!WORKER.pathname.endsWith('.ts')) return new Worker(WORKER, { execArgv: [] })
  // A thread of Node.js 20 does not load TypeScript by the loader of the process.
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const code = `import(${loader}).then(({ register }) => { register(); return import(${JSON.stringify(WORKER)}) })`
  return new Worker(code, { eval: true, execArgv: [] })
}

/**
 * Expands sub-entry batches in threads of their own: one of 60 MB takes a quarter of a second. The threads are started
 * when they are first needed. Whoever makes an expander bounds how much waits, and closes it.
 */
export class Expander {
  readonly #maxBytes: number
  readonly #jobMs: number
  readonly #waiting: Job[] = []
  readonly #threads = new Set<ExpanderThread>()
  #isClosed = false

  /**
   * @param maxBytes a batch that would be larger is not expanded
   * @param jobMs how long one batch may take; its thread is then ended
   */
  constructor (maxBytes: number, jobMs = JOB_MS) {
    this.#maxBytes = maxBytes
    this.#jobMs = jobMs
  }

  /** @throws CompressionError; ProtocolError when the expander is closed meanwhile */
  async expand (batch: SubBatch): Promise<SubBatchRecords> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject })
      this.#assign()
    })
  }

  /** Ends the threads. Calling it twice is fine. */
  async close (): Promise<void> {
    this.#isClosed = true
    this.#assign()
    await Promise.all([...this.#threads].map(async (thread) => { await thread.end(closed()) }))
  }

  #assign (): void {
    if (this.#isClosed) for (const job of this.#waiting.splice(0)) job.reject(closed())
    while (this.#waiting.length > 0) {
      const thread = [...this.#threads].find(({ isBusy }) => !isBusy) ?? this.#newThread()
      const job = thread === undefined ? undefined : this.#waiting.shift()
      if (job === undefined) return
      thread?.run(job, this.#maxBytes)
    }
  }

  #newThread (): ExpanderThread | undefined {
    if (this.#threads.size >= MAX_WORKERS) return undefined
    const thread: ExpanderThread = new ExpanderThread(this.#jobMs, () => {
      if (thread.hasEnded) this.#threads.delete(thread)
      this.#assign()
    })
    this.#threads.add(thread)
    return thread
  }
}

/** One thread, which works on one batch at a time. A batch that makes it crash, or takes too long, ends it. */
class ExpanderThread {
  readonly #worker = startWorker()
  readonly #jobMs: number
  readonly #onChange: () => void
  #job: Job | undefined
  #timer: NodeJS.Timeout | undefined
  hasEnded = false

  /** @param onChange called when it is free again, or has ended */
  constructor (jobMs: number, onChange: () => void) {
    this.#jobMs = jobMs
    this.#onChange = onChange
    this.#worker.on('message', (answer: WorkerAnswer) => { this.#answered(answer) })
    this.#worker.on('error', (error) => { this.#fail(failed('the thread that expanded it has failed', error)) })
    this.#worker.on('exit', () => { this.#fail(failed('the thread that expanded it has ended')) })
  }

  get isBusy (): boolean {
    return this.#job !== undefined || this.hasEnded
  }

  run (job: Job, maxBytes: number): void {
    this.#job = job
    this.#timer = setTimeout(() => { void this.end(failed('expanding it takes too long')) }, this.#jobMs)
    // Its own copy, which is moved: a view would take the whole chunk with it.
    const bytes = new Uint8Array(job.batch.bytes)
    const task: WorkerTask = { ...job.batch, bytes, maxBytes }
    this.#worker.postMessage(task, [bytes.buffer])
  }

  /** Ends the thread. A job that it has fails with the error. */
  async end (error: ProtocolError): Promise<void> {
    this.#fail(error)
    await this.#worker.terminate()
  }

  #answered (answer: WorkerAnswer): void {
    const job = this.#takeJob()
    if ('reason' in answer) {
      job?.reject(new CompressionError(answer.reason, answer.message))
    } else {
      const { data, ends, byteLength } = answer
      job?.resolve(new SubBatchRecords(Buffer.from(data.buffer, data.byteOffset, data.length), ends, byteLength))
    }
    this.#onChange()
  }

  #fail (error: ProtocolError): void {
    this.hasEnded = true
    this.#takeJob()?.reject(error)
    this.#onChange()
  }

  #takeJob (): Job | undefined {
    clearTimeout(this.#timer)
    const job = this.#job
    this.#job = undefined
    return job
  }
}

function failed (what: string, cause?: unknown): CompressionError {
  return new CompressionError('failed', `the sub-entry batch cannot be expanded: ${what}`, cause)
}

function closed (): ProtocolError {
  return new ProtocolError('the expander was closed')
}
