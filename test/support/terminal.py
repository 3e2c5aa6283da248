"""Runs a program on a terminal of its own, and does to it what a test says on standard input.

`read`: passes on what the program writes from now on (it is not read before). `close`: closes the terminal.
Ends with the program; prints `exit N` or `signal N` last.
"""
import os, pty, select, sys

pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

reading = False
poll = [0]
while True:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        break
    for fd in select.select(poll + ([master] if reading and master is not None else []), [], [], 0.05)[0]:
        if fd == 0:
            command = os.read(0, 100).decode().strip()
            if command == "read":
                reading = True
            elif command == "close":
                os.close(master)
                master = None
            elif command == "":
                poll = []
        else:
            try:
                os.write(1, os.read(master, 65536))
            except OSError:
                reading = False
print("exit %d" % os.WEXITSTATUS(status) if os.WIFEXITED(status) else "signal %d" % os.WTERMSIG(status), flush=True)
