// @ts-nocheck
// StatsD 0.9 logs by util.log, which Node.js 23 removed. Preloaded into the real server by the tests.
const util = require('node:util');
if (!util.log) util.log = (...words) => console.log(new Date().toISOString(), ...words);
