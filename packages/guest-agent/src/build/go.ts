import { requireTool, run } from "@boxrun/host";

export interface GoBuild {
  /** Directory of the Go module. */
  readonly module: string;
  /** Package to build, relative to the module. */
  readonly package: string;
  readonly outFile: string;
  readonly arch: string;
}

/** Builds one static Linux program, the same bytes from the same sources. */
export async function goBuild(build: GoBuild): Promise<void> {
  const operation = `build ${build.package} in ${build.module}`;
  await run(
    requireTool("go", operation),
    ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", build.outFile, build.package],
    { operation, cwd: build.module, env: { CGO_ENABLED: "0", GOOS: "linux", GOARCH: build.arch, GOFLAGS: "-mod=mod" } },
  );
}
