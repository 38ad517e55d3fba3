// Package own names a folder for what an example keeps between two runs.
package own

import (
	"fmt"
	"os"
	"path/filepath"
)

// Folder is a folder of that name for this user alone: in the user's cache folder,
// or, where there is none, among the temporary files with the user's id. It need not
// exist.
func Folder(name string) string {
	if cache, err := os.UserCacheDir(); err == nil {
		return filepath.Join(cache, "whorl", name)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("whorl-%s-%d", name, os.Getuid()))
}
