/** The host's architecture as OCI, Go and Debian name it. */
export const hostArchitecture = process.arch === "x64" ? "amd64" : process.arch;
