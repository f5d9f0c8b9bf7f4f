import { StreamsError } from '../errors.ts'
import type { ManagementClient } from '../management/management-client.ts'
import type { OffsetSample } from './offset-ring.ts'
import { Sampler, type SamplerOptions, type SamplerSources } from './sampler.ts'

export interface SamplingSources extends Omit<SamplerSources, 'management'> {
  management: ManagementClient | undefined
}

/** Samples of streams and consumers. Names are the API's. */
export class Sampling {
  readonly #sources: SamplingSources
  #sampler: Sampler | undefined

  constructor (sources: SamplingSources) {
    this.#sources = sources
  }

  /**
   * Begins to sample. `close` the sampler before the broker.
   *
   * @throws StreamsError `management_not_configured`
   */
  start (options: SamplerOptions): Sampler {
    const { management, ...sources } = this.#sources
    if (management === undefined) {
      throw new StreamsError('management_not_configured', 'streams can only be sampled with the management API')
    }
    this.#sampler = new Sampler({ ...sources, management }, options)
    return this.#sampler
  }

  /**
   * The samples of a stream since a time, ms since the epoch, the oldest first.
   *
   * @returns undefined when the stream is not sampled
   * @throws StreamsError `invalid_argument`
   */
  history (stream: string, sinceMs: number): OffsetSample[] | undefined {
    return this.#sampler?.history(this.#sources.names.toBroker(stream), sinceMs)
  }
}
