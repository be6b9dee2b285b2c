"""Asks machines as `ssh` would, over paramiko, with one thread for each.

paramiko_threads.py KNOWN_HOSTS KEY COMMAND HOST...: prints what the command says on all of them.
Ends with 1 when one of them did not answer with success.
"""

import sys
import threading

import paramiko


def ask(host, known_hosts, key, command, answers):
    client = paramiko.SSHClient()
    client.load_host_keys(known_hosts)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    # All dial at once, on a machine that is busy with what they ask.
    patience = {"timeout": 60, "banner_timeout": 60, "auth_timeout": 60}
    client.connect(
        host, username="root", key_filename=key, allow_agent=False, look_for_keys=False, **patience
    )
    with client:
        _, stdout, _ = client.exec_command(command)
        text = stdout.read().decode()
        if stdout.channel.recv_exit_status() == 0:
            answers[host] = text


def main():
    known_hosts, key, command, *hosts = sys.argv[1:]
    answers = {}
    threads = [
        threading.Thread(target=ask, args=(host, known_hosts, key, command, answers))
        for host in hosts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for host in hosts:
        print(answers.get(host, host + " did not answer"))
    sys.exit(len(answers) != len(hosts))


if __name__ == "__main__":
    main()
