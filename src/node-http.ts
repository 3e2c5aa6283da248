/**
 * HTTP of Node.js for those who are loaded at every start. `import` from node:http looks at all that it exports, and one
 * of that is a WebSocket, for which Node.js then loads its whole fetch: a third of what a cold start takes.
 */
const http = process.getBuiltinModule('node:http');

export const { Agent, createServer, request } = http;
