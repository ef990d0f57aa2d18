// Reads the header of a safetensors file in a process of its own, and prints what that took: node open-child.mjs FILE.

import { readFileSync } from 'node:fs';
import { WeightFile } from '../../dist/models/weight-files.js';

/** Most memory that this process has had, in bytes (VmHWM; getrusage where there is no /proc). */
function peak() {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}

const before = peak(), result = {}, began = process.cpuUsage(); // of this process: what else the machine does is not counted
try {
  new WeightFile(process.argv[2], undefined).close();
  result.outcome = 'read';
} catch (error) {
  Object.assign(result, { outcome: error.name, offset: error.offset, message: error.message.slice(0, 200) });
}
console.log(JSON.stringify({ ...result, ms: ((used) => (used.user + used.system) / 1000)(process.cpuUsage(began)), bytes: peak() - before }));
