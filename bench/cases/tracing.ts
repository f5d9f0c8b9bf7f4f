import { compare } from '../compare.ts'
import { ratioGoal, type Case } from './case.ts'
import { singlesSide } from './publish.ts'

const [TRACEPARENT, TRACESTATE] = ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'rojo=00f067aa0ba902b7']
const TRACE = { traceparent: TRACEPARENT, tracestate: TRACESTATE }
// Headers cost Node.js something, whatever they mean.
const NO_TRACE = { otherparent: TRACEPARENT, otherstate: TRACESTATE }

export const tracingCases: readonly Case[] = [
  {
    name: 'trace-context',
    workload: 'publish-one with a traceparent and a tracestate, which each message is stored with',
    baseline: 'the same with two headers that mean nothing',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const baseline = await singlesSide(bench, gateway, { headers: NO_TRACE })
      const candidate = await singlesSide(bench, gateway, { headers: TRACE })
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(0.97, comparison.ratio)] }
    }
  },
  {
    name: 'spans',
    workload: 'publish-one with TRACING=otlp, one request in a hundred sampled, and a collector that is not there',
    baseline: 'the same without TRACING',
    async run (bench, amount) {
      const baseline = await singlesSide(bench, await bench.gateway())
      const candidate = await singlesSide(bench, await bench.gateway({
        TRACING: 'otlp', OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01'
      }))
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(0.8, comparison.ratio)] }
    }
  }
]
