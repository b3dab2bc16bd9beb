"""An agent writes a program, runs it in a box, reads what went wrong, and repairs it. Its model is a script here: put yours in its place."""

from typing import Literal, NamedTuple

from boxrun_sdk import BoxRun


class Message(NamedTuple):
    role: Literal["user", "assistant"]
    text: str


def scripted_model(conversation: list[Message]) -> str:
    """Forgets to close its loop at first, and mends that when it is shown the error."""
    saw_error = any(message.role == "user" and "exit code" in message.text for message in conversation)
    loop = "sum=0; for n in 1 2 3 4; do sum=$((sum + n))"
    return f'{loop}; done\necho "sum $sum"\n' if saw_error else f'{loop}\necho "sum $sum"\n'


with BoxRun() as boxrun, boxrun.create("base", memory_mb=256) as box:
    conversation = [Message("user", "Write a shell script that prints the sum of 1 to 4.")]
    for attempt in range(1, 6):
        program = scripted_model(conversation)
        conversation.append(Message("assistant", program))
        box.files.write("/work/program.sh", program)
        ended = box.exec(["sh", "/work/program.sh"], timeout_ms=30_000)
        print(f"attempt {attempt}: exit code {ended.exit_code}")
        if ended.ok:
            print(ended.stdout.strip())
            break
        conversation.append(Message("user", f"It ended with exit code {ended.exit_code}:\n{ended.stderr}"))
