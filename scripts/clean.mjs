import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { projectDirectory } from './setup/paths.mjs'

// A file that has no source any more must not stay in the build.
rmSync(join(projectDirectory, 'dist'), { recursive: true, force: true })
