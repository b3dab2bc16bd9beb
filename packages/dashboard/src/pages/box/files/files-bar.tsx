import { Button, IconButton } from "../../../ui/button.tsx";
import { FileButton } from "../../../ui/file-button.tsx";
import { pathParts } from "../../../util/paths.ts";

interface FilesBarProps {
  readonly path: string;
  readonly onPath: (path: string) => void;
  readonly onRefresh: () => void;
  readonly onNewFolder: () => void;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Where one is in a box's files, and what can be added there. */
export function FilesBar({ path, onPath, onRefresh, onNewFolder, onFiles }: FilesBarProps) {
  return (
    <div className="files-bar">
      <nav className="crumbs" aria-label="Path">
        {pathParts(path).map((part, index, all) => (
          <span key={part.path}>
            <button
              type="button"
              className="crumb"
              aria-current={index === all.length - 1 ? "location" : undefined}
              onClick={() => onPath(part.path)}
            >
              {part.name}
            </button>
            {index > 0 && index < all.length - 1 && <span aria-hidden="true">/</span>}
          </span>
        ))}
      </nav>
      <IconButton icon="again" label="Read the directory again" onClick={onRefresh} />
      <Button icon="plus" onClick={onNewFolder}>
        Folder
      </Button>
      <FileButton icon="upload" multiple onFiles={onFiles}>
        Upload
      </FileButton>
    </div>
  );
}
