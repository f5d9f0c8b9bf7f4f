import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../docs/support.ts'
import type { Node } from './yaml-node.ts'

// Where each kind is defined. The packages are made from the OpenAPI document of Kubernetes and from the definitions of
// the Prometheus Operator.
const MODELS: Readonly<Record<string, string>> = {
  'apps/v1 Deployment': 'kubernetes-models/apps/v1',
  'v1 Service': 'kubernetes-models/v1',
  'v1 Secret': 'kubernetes-models/v1',
  'policy/v1 PodDisruptionBudget': 'kubernetes-models/policy/v1',
  'networking.k8s.io/v1 NetworkPolicy': 'kubernetes-models/networking.k8s.io/v1',
  'monitoring.coreos.com/v1 ServiceMonitor': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
}

const STRICT = [
  '--ignoreConfig', '--noEmit', '--strict', '--exactOptionalPropertyTypes',
  '--skipLibCheck', '--module', 'preserve', '--target', 'es2023', '--types', 'node'
]

/**
 * Holds manifests against the definitions of their kinds, in two ways. The compiler refuses a field that is unknown or
 * missing, and a value of a wrong type or of no known name. The validators also know how texts such as quantities look.
 *
 * @returns what is wrong with each of them
 */
export async function manifestFaults (objects: readonly Node[]): Promise<string[]> {
  // Within the project, so that imports find its packages.
  const folder = mkdtempSync('.manifests-')
  try {
    const [types, values] = [await typeFaults(folder, objects), await valueFaults(folder, objects)]
    return objects.map((_, index) => [types[index], values[index]].filter((fault) => fault !== '').join('\n'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function modelOf (object: Node): { module: string, kind: string } {
  const [version, kind] = [String(object['apiVersion']), String(object['kind'])]
  const module = MODELS[`${version} ${kind}`]
  if (module === undefined) throw new Error(`no definition is known of ${version} ${kind}`)
  return { module, kind }
}

async function typeFaults (folder: string, objects: readonly Node[]): Promise<string[]> {
  const files = objects.map((object, index) => {
    const { module, kind } = modelOf(object)
    const file = join(folder, `manifest-${index}.ts`)
    writeFileSync(file, `export const it: import('${module}').I${kind} = ${JSON.stringify(object, null, 2)}\n`)
    return file
  })
  const { stdout, stderr } = await run(process.execPath, ['node_modules/typescript/bin/tsc', ...STRICT, ...files], {})
  const faults = (stdout + stderr).split('\n').filter((line) => line !== '' && !line.startsWith(' '))
  const stray = faults.filter((line) => !files.some((file) => line.startsWith(file)))
  if (stray.length > 0) throw new Error(stray.join('\n'))
  return files.map((file) => faults.filter((line) => line.startsWith(file)).join('\n'))
}

async function valueFaults (folder: string, objects: readonly Node[]): Promise<string[]> {
  // The packages are whole only for CommonJS.
  const main = join(folder, 'validate.cjs')
  writeFileSync(main, objects.map((object) => {
    const { module, kind } = modelOf(object)
    return `try { new (require('${module}').${kind})(${JSON.stringify(object)}).validate(); console.log('') }\n` +
      'catch (error) { console.log(JSON.stringify(String(error))) }\n'
  }).join(''))
  const { code, stdout, stderr } = await run(process.execPath, [main], {})
  const lines = stdout.split('\n').slice(0, -1)
  if (code !== 0 || lines.length !== objects.length) throw new Error(stdout + stderr)
  return lines
}
