import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, execSpec, missingWorkdir, type } from "./harness.ts";

export function commandBehaviours({ behaviour, harness }: Suite): void {
  for (const code of [0, 1, 42, 255]) {
    behaviour(`a program that exits with ${code} has exit code ${code}`, [], async () => {
      const { exit } = await harness.run(["sh", "-c", `exit ${code}`]);
      expect(exit).toMatchObject({ code, reason: "exited" });
    });
  }

  behaviour("a program that is not there is not_started with code 127 and a message", [], async () => {
    for (const command of ["no-such-program", "/no/such/program"]) {
      const { exit, stdout } = await harness.run([command]);
      expect(exit).toMatchObject({ code: 127, reason: "not_started", message: expect.stringMatching(/./) });
      expect(stdout).toHaveLength(0);
    }
  });

  behaviour("a file that is not executable is not_started with code 126 and a message", [], async () => {
    const path = harness.newPath();
    await harness.write(path, "echo never\n");
    const { exit } = await harness.run([path]);
    expect(exit).toMatchObject({ code: 126, reason: "not_started", message: expect.stringMatching(/./) });
  });

  behaviour("a directory as the program is not_started with code 126", [], async () => {
    expect((await harness.run(["/root"])).exit).toMatchObject({ code: 126, reason: "not_started" });
  });

  behaviour("a working directory that is not there is not_started, with a message that names it", [], async () => {
    const { exit } = await harness.run(["true"], { workdir: "/no/such/place" });
    expect(exit).toMatchObject({
      code: 127,
      reason: "not_started",
      message: expect.stringContaining("/no/such/place"),
    });
  });

  behaviour("the box's own working directory is there, whatever the image has", [], async () => {
    expect((await harness.run(["pwd"], { workdir: missingWorkdir })).stdout.toString()).toBe(`${missingWorkdir}\n`);
  });

  behaviour("a user that is not there is not_started, with a message that names it", [], async () => {
    const { exit } = await harness.run(["true"], { user: "nosuchuser" });
    expect(exit).toMatchObject({ code: 127, reason: "not_started", message: expect.stringContaining("nosuchuser") });
  });

  behaviour("a program killed by a signal has exit code 128 plus its number", ["linux"], async () => {
    for (const [name, code] of [
      ["KILL", 137],
      ["TERM", 143],
      ["SEGV", 139],
    ] as const) {
      const { exit } = await harness.run(["sh", "-c", `kill -${name} $$`]);
      expect(exit).toMatchObject({ code, reason: "signaled" });
    }
  });

  behaviour("signals have their default meaning: a writer to a closed pipe dies of SIGPIPE", ["linux"], async () => {
    expect((await harness.run(["sh", "-c", "kill -PIPE $$"])).exit).toMatchObject({ code: 141, reason: "signaled" });
    expect(await harness.sh("yes | head -n 1")).toBe("y");
  });

  behaviour("arguments arrive as they are, with no shell in between", [], async () => {
    const words = [
      "a b",
      "",
      "'single' \"double\"",
      "$HOME `id` $(id)",
      "*",
      "back\\slash",
      "two\nlines",
      "-n",
      "ünï 😀",
    ];
    const { stdout } = await harness.run(["printf", "%s\\n", ...words]);
    expect(stdout.toString("utf8")).toBe(words.map((word) => `${word}\n`).join(""));
  });

  behaviour("the environment is what was given plus PATH and HOME", [], async () => {
    const env = { GREETING: "hello  world", EMPTY: "", EQUALS: "a=b=c", UNICODE: "ünï 😀" };
    const { stdout } = await harness.run(["env"], { env });
    const lines = stdout.toString("utf8").trimEnd().split("\n");
    for (const [name, value] of Object.entries(env)) expect(lines).toContain(`${name}=${value}`);
    const others = lines.map((line) => line.slice(0, line.indexOf("="))).filter((name) => !Object.hasOwn(env, name));
    expect(others.toSorted()).toEqual(["HOME", "PATH"]);
    expect(lines).toContain("HOME=/root");
  });

  behaviour("PATH and HOME that are given win, and a value may have several lines", [], async () => {
    const env = { PATH: "/bin:/usr/bin", HOME: "/elsewhere", LINES_OF: "one\ntwo" };
    const { stdout } = await harness.run(["/bin/sh", "-c", 'echo "$PATH|$HOME|$LINES_OF"'], { env });
    expect(stdout.toString("utf8")).toBe("/bin:/usr/bin|/elsewhere|one\ntwo\n");
  });

  behaviour("a program starts in the working directory that was asked for", [], async () => {
    for (const workdir of ["/", "/tmp", "/root"]) {
      expect((await harness.run(["pwd"], { workdir })).stdout.toString()).toBe(`${workdir}\n`);
    }
  });

  behaviour("a program runs as root unless another user is asked for", [], async () => {
    expect((await harness.run(["id", "-u"])).stdout.toString()).toBe("0\n");
    const other = { user: "1234:2345" };
    expect((await harness.run(["id", "-u"], other)).stdout.toString()).toBe("1234\n");
    expect((await harness.run(["id", "-g"], other)).stdout.toString()).toBe("2345\n");
  });

  behaviour("a user is looked up in the box by name or number, with group and home", ["linux"], async () => {
    await harness.sh(
      "echo 'tester:x:4321:4322::/home/tester:/bin/sh' >> /etc/passwd; echo 'crew:x:4400:' >> /etc/group; " +
        "mkdir -p /home/tester; chown 4321:4322 /home/tester",
    );
    for (const [user, expected] of [
      ["tester", "4321 4322 /home/tester"],
      ["4321", "4321 4322 /home/tester"],
      ["tester:crew", "4321 4400 /home/tester"],
      ["4321:77", "4321 77 /home/tester"],
    ] as const) {
      const { stdout } = await harness.run(["sh", "-c", "echo $(id -u) $(id -g) $HOME"], { user, workdir: "/" });
      expect(stdout.toString()).toBe(`${expected}\n`);
    }
  });

  behaviour("a program of another user has no more rights than that user", ["linux"], async () => {
    const path = harness.newPath();
    await harness.sh(`echo secret > ${path}; chmod 600 ${path}; chmod 711 /root`);
    const { exit, stdout } = await harness.run(["cat", path], { user: "1234:2345", workdir: "/" });
    expect(exit.code).not.toBe(0);
    expect(stdout.toString()).toBe("");
    expect(await harness.run(["chown", "1234", "/tmp"], { user: "1234:2345", workdir: "/" })).toMatchObject({
      exit: { code: 1 },
    });
  });

  behaviour("the same exec id again starts nothing and gives the exec that is there", [], async () => {
    const path = harness.newPath();
    const spec = execSpec(["sh", "-c", `echo run >> ${path}; cat; exit 9`], { stdin: true });
    const [first, second] = await Promise.all([
      harness.engine.exec(harness.box, spec),
      harness.engine.exec(harness.box, spec),
    ]);
    expect(second.id).toBe(first.id);
    await type(first, "input", { eof: true });
    const { exit, stdout } = await collect(second);
    expect(exit).toMatchObject({ code: 9, reason: "exited" });
    expect(stdout.toString()).toBe("input");
    expect((await harness.read(path)).toString()).toBe("run\n");
  });

  behaviour("32 programs at once each have their own output and exit code", [], async () => {
    const results = await Promise.all(
      Array.from({ length: 32 }, (_, index) =>
        harness.run(["sh", "-c", `echo out ${index}; echo err ${index} >&2; exit ${index}`]),
      ),
    );
    for (const [index, { exit, stdout, stderr }] of results.entries()) {
      expect(exit).toMatchObject({ code: index, reason: "exited" });
      expect([stdout.toString(), stderr.toString()]).toEqual([`out ${index}\n`, `err ${index}\n`]);
    }
  });

  behaviour("a program that is ended by nothing runs on while others come and go", [], async () => {
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    for (let round = 0; round < 5; round += 1) await harness.run(["true"]);
    await type(exec, "still here", { eof: true });
    expect((await collect(exec)).stdout.toString()).toBe("still here");
  });

  behaviour("a background process that keeps the output open does not hold up the exit", ["linux"], async () => {
    const { exit, stdout } = await harness.run(["sh", "-c", "sleep 86411 & echo $!"]);
    expect(exit).toMatchObject({ code: 0, reason: "exited" });
    await harness.run(["kill", stdout.toString().trim()]);
  });

  behaviour("a program gets standard input, output and error, and no other open file", ["linux"], async () => {
    // The fourth is ls's own, of the directory.
    expect(await harness.sh("exec ls /proc/self/fd")).toBe("0\n1\n2\n3");
  });

  behaviour("a forgotten exec is gone: its id may start a new one", [], async () => {
    const spec = execSpec(["echo", "hello"]);
    for (let round = 0; round < 2; round += 1) {
      const exec = await harness.engine.exec(harness.box, spec);
      expect((await collect(exec)).stdout.toString()).toBe("hello\n");
      await exec.forget();
    }
  });
}
