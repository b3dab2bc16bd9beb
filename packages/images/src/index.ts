export { type BuildBaseOptions, buildBaseImage } from "./base/build.ts";
export { createImageContent, type ImageContentOptions } from "./content/image-content.ts";
export { type BuildDebianOptions, buildDebianImage, type DebianImage } from "./debian/build.ts";
