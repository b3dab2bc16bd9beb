import { expect, it } from "vitest";
import { maskedEnvironment } from "../src/output/masked.ts";

it.each(
  [
    "TOKEN",
    "github_token",
    "DB_PASSWORD",
    "PASSWD",
    "PASS",
    "MY_PWD",
    "API_KEY",
    "APIKEY",
    "AWS_ACCESS_KEY_ID",
    "accessKey",
    "KEYS",
  ].concat(["CREDENTIALS", "AUTH", "SSH_PASSPHRASE", "client-secret", "GITHUB_PAT"]),
)("the value of %s is a secret", (name) => expect(maskedEnvironment({ [name]: "x" })).toEqual({ [name]: "***" }));

it.each(["PATH", "PWD", "OLDPWD", "KEYBOARD", "MONKEY", "AUTHOR", "COMPASS", "HOME", "MODE"])(
  "that of %s is none",
  (name) => expect(maskedEnvironment({ [name]: "x" })).toEqual({ [name]: "x" }),
);

it("an empty value is shown, and of an address all but its password", () => {
  const env = { TOKEN: "", URL: "https://me:pw@host/a@b?c=d:e@f", PROXY: "http://host:80", TWO: "a://b:c@d,e://f:g@h" };
  expect(maskedEnvironment(env)).toEqual({
    ...env,
    URL: "https://me:***@host/a@b?c=d:e@f",
    TWO: "a://b:***@d,e://f:***@h",
  });
});
