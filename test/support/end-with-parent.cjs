// Preloaded into the processes that tests start: a test runner that is killed must leave nothing behind.
if (process.channel) {
  process.channel.unref();
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}
