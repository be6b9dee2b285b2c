#!/bin/bash
# First process of a lab guest: keeps sshd running, and collects every orphan that dies
# (bash waits for any child, also for those that it inherits). A job that left its ssh
# connection with setsid becomes a child of this process and goes on.

# The first process of a pid namespace ignores every signal that it has no handler for.
trap 'exit 0' TERM INT

while :; do
  # sshd writes and reads its own files only; `pkill -x sshd` inside restarts it, with new keys.
  /usr/sbin/sshd -D -e
  sleep 0.2
done &

while :; do
  wait
  sleep 1
done
