import { setTimeout as delay } from 'node:timers/promises'
import type { Scenario } from './scenario.ts'

const KILL_STREAM_CONNECTIONS = 'lists:foreach(fun({Pid, _}) -> exit(Pid, kill) end, ' +
  '[{P, x} || P <- pg_local:get_members(rabbit_stream_connections)]).'

/** What happens to a broker of one node. */
export const brokerScenarios: readonly Scenario[] = [
  {
    name: 'quiet',
    nodes: 1,
    run: async ({ workload }) => { await workload.untilConfirmed(5000) }
  },
  {
    name: 'broker-killed',
    nodes: 1,
    async run ({ world: { node } }) {
      await node.kill('SIGKILL')
      await node.start()
    }
  },
  {
    name: 'broker-restarted',
    nodes: 1,
    async run ({ world: { node } }) {
      await node.stop()
      await node.start()
    }
  },
  {
    // Longer than two heartbeats.
    name: 'broker-frozen',
    nodes: 1,
    async run ({ world: { node }, random }) {
      await node.kill('SIGSTOP')
      await delay(1000 + random() * 8000)
      await node.kill('SIGCONT')
    }
  },
  {
    name: 'disk-alarm',
    nodes: 1,
    async run ({ world: { node } }) {
      await node.ctl('set_disk_free_limit', '1000000GB')
      try {
        await delay(5000)
      } finally {
        await node.ctl('set_disk_free_limit', '50MB')
      }
    }
  },
  {
    name: 'permissions-revoked',
    nodes: 1,
    async run ({ world: { node } }) {
      await node.ctl('set_permissions', 'guest', '^$', '^$', '^$')
      try {
        await delay(3000)
      } finally {
        await node.ctl('set_permissions', 'guest', '.*', '.*', '.*')
      }
    }
  },
  {
    name: 'connections-closed',
    nodes: 1,
    async run ({ world: { node }, workload }) {
      for (let times = 0; times < 3; times++) {
        await node.ctl('close_all_connections', 'closed on purpose')
        await node.ctl('eval', KILL_STREAM_CONNECTIONS)
        await workload.untilConfirmed(200)
      }
    }
  }
]
